//! A table of figures, a row for each store, with each figure beside its ratio to tokcask's.

use std::fmt;

/// The row that all others are compared with.
pub const OURS: &str = "tokcask";

/// Figures by row and column.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

impl Table {
    /// Without rows or columns. The title says what is measured, and in which unit.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), columns: Vec::new(), rows: Vec::new() }
    }

    /// Notes a figure. Rows and columns stand in the order in which they came.
    pub fn set(&mut self, row: &str, column: &str, figure: f64) {
        let column_at = self.columns.iter().position(|name| name == column).unwrap_or_else(|| {
            self.columns.push(column.into());
            self.columns.len() - 1
        });
        let row_at = self.rows.iter().position(|(name, _)| name == row).unwrap_or_else(|| {
            self.rows.push((row.into(), Vec::new()));
            self.rows.len() - 1
        });
        let cells = &mut self.rows[row_at].1;
        cells.resize(cells.len().max(column_at + 1), None);
        cells[column_at] = Some(figure);
    }

    /// A column of figures under their names.
    pub fn set_all(&mut self, column: &str, figures: Vec<(String, f64)>) {
        for (row, figure) in figures {
            self.set(&row, column, figure);
        }
    }

    /// A figure, if it was measured.
    #[must_use]
    pub fn get(&self, row: &str, column: &str) -> Option<f64> {
        let column_at = self.columns.iter().position(|name| name == column)?;
        let (_, cells) = self.rows.iter().find(|(name, _)| name == row)?;
        cells.get(column_at).copied().flatten()
    }

    /// What was measured.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// In their order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// In their order.
    pub fn rows(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|(name, _)| name.as_str())
    }
}

/// Markdown.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} | {} |", self.title, self.columns.join(" | "))?;
        writeln!(f, "|{}", " --- |".repeat(self.columns.len() + 1))?;
        for name in self.rows() {
            write!(f, "| {name} |")?;
            for column in &self.columns {
                match (self.get(name, column), self.get(OURS, column)) {
                    (None, _) => write!(f, "  |")?,
                    (Some(figure), Some(ours)) if name != OURS => {
                        write!(f, " {} (× {}) |", number(figure), number(figure / ours))?;
                    }
                    (Some(figure), _) => write!(f, " {} |", number(figure))?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// One count by another.
#[expect(clippy::cast_precision_loss, reason = "bytes and tokens are far below 2^53")]
pub(crate) fn quotient(count: u64, by: u64) -> f64 {
    count as f64 / by as f64
}

/// With three digits that count, or all before the point.
#[must_use]
pub fn number(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    let text = format!("{figure:.decimals$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), crate::table::thousands);
    whole + fraction
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn figures_stand_beside_their_ratios_and_gaps_stay_gaps() {
        let mut table = Table::new("find, ns");
        table.set("tokcask", "1,000", 100.0);
        table.set("redb", "1,000", 1234.5);
        table.set("tokcask", "100,000", 0.5);
        let text = table.to_string();
        let rows = "| tokcask | 100 | 0.50 |\n| redb | 1,234 (× 12.3) |  |\n";
        assert_eq!(text, format!("| find, ns | 1,000 | 100,000 |\n| --- | --- | --- |\n{rows}"));
    }
}
