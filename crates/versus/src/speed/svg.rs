//! A bar chart of a table, as SVG: a group for each column, a bar for each store, lengths by the logarithm.

use std::fmt::Write;

use super::table::{Table, number};

const WIDTH: f64 = 760.0;
const NAME_WIDTH: f64 = 110.0;
const FIGURE_WIDTH: f64 = 70.0;
const BAR_HEIGHT: f64 = 18.0;
const GAP: f64 = 4.0;
const HEAD_HEIGHT: f64 = 34.0;
const OURS_COLOUR: &str = "#2a6fb0";
const MAP_COLOUR: &str = "#7a9a4a";
const THEIR_COLOUR: &str = "#9aa3ad";

/// The figures of these rows. The axis begins at the power of ten below the least of them.
#[must_use]
pub fn chart(table: &Table, rows: &[&str]) -> String {
    let figures = |column: &str| {
        let row = |row: &&'_ str| Some((row.to_string(), table.get(row, column)?));
        rows.iter().filter_map(row).collect::<Vec<_>>()
    };
    let all: Vec<_> = table.columns().iter().flat_map(|column| figures(column)).map(|(_, figure)| figure).collect();
    let least = all.iter().copied().fold(f64::INFINITY, f64::min).log10().floor();
    let most = all.iter().copied().fold(0.0, f64::max).log10().ceil().max(least + 1.0);
    let room = WIDTH - NAME_WIDTH - FIGURE_WIDTH;
    let at = |figure: f64| room * (figure.log10() - least) / (most - least);

    let mut body = String::new();
    let mut text = |line: String| body.push_str(&line);
    text(format!(
        "<text x=\"8\" y=\"22\" class=\"title\">{}, logarithmic: shorter is faster</text>\n",
        escaped(table.title())
    ));
    let mut y = HEAD_HEIGHT;
    for column in table.columns() {
        text(format!("<text x=\"8\" y=\"{:.0}\" class=\"group\">{} tokens</text>\n", y + 18.0, escaped(column)));
        y += 26.0;
        for (row, figure) in figures(column) {
            let (middle, bar_len) = (y + BAR_HEIGHT * 0.72, at(figure));
            let colour = match row.as_str() {
                super::table::OURS => OURS_COLOUR,
                "map" => MAP_COLOUR,
                _ => THEIR_COLOUR,
            };
            let (name_end, figure_start) = (NAME_WIDTH - 8.0, NAME_WIDTH + bar_len + 6.0);
            text(format!("<text x=\"{name_end:.0}\" y=\"{middle:.1}\" class=\"name\">{}</text>\n", escaped(&row)));
            text(format!(
                "<rect x=\"{NAME_WIDTH:.0}\" y=\"{y:.0}\" width=\"{bar_len:.1}\" height=\"{BAR_HEIGHT:.0}\" fill=\"{colour}\"/>\n"
            ));
            text(format!("<text x=\"{figure_start:.1}\" y=\"{middle:.1}\">{}</text>\n", number(figure)));
            y += BAR_HEIGHT + GAP;
        }
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\">\n\
         <style>text {{ font: 13px sans-serif; fill: #222 }} .name {{ text-anchor: end }} .title, .group {{ font-weight: bold }}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        height = y + 10.0
    );
    writeln!(svg, "{body}</svg>").expect("a string takes everything");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::{Table, chart};

    #[test]
    fn a_bar_for_each_figure_and_ten_times_as_slow_is_one_step_longer() {
        let mut table = Table::new("find, ns");
        for (row, figure) in [("tokcask", 100.0), ("redb", 1_000.0), ("LMDB", 10_000.0)] {
            table.set(row, "1,000", figure);
        }
        let svg = chart(&table, &["tokcask", "redb", "LMDB", "sled"]);
        let lens: Vec<f64> = svg.split("width=\"").filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        assert_eq!(lens, [0.0, 290.0, 580.0]);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
