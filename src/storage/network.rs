//! Which file systems are not this machine's alone, by the numbers that Linux gives them.
//!
//! There a lock may hold on one machine only, and a shared map may show each machine its own bytes; the ones in user space
//! (FUSE) do as their program pleases.

use std::io;
use std::os::fd::AsFd;

/// File systems by what `statfs` calls `f_type`; from `linux/magic.h` and the sources of those that it leaves out.
const KINDS: [(u32, &str); 14] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x00C3_6400, "CephFS"),
    (0x0116_1970, "GFS2"),
    (0x0BD0_0BD0, "Lustre"),
    (0x7461_636F, "OCFS2"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564C, "NCP"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"), // also of fuseblk and virtiofs
];

/// The kind of the file system that an open file or directory lies on, if it is one of these.
#[cfg(target_os = "linux")]
pub(super) fn kind(file: impl AsFd) -> io::Result<Option<&'static str>> {
    let found = rustix::fs::fstatfs(file)?.f_type;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
    Ok(kind_of(found as u32))
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
pub(super) fn kind(_: impl AsFd) -> io::Result<Option<&'static str>> {
    Ok(None)
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "others give no such numbers"))]
fn kind_of(f_type: u32) -> Option<&'static str> {
    KINDS.iter().find(|(number, _)| *number == f_type).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn network_file_systems_have_a_name_and_local_ones_none() {
        let table = [
            (0x6969, Some("NFS")),
            (0x517B, Some("SMB")),
            (0xFF53_4D42, Some("CIFS")),
            (0xFE53_4D42, Some("SMB2")),
            (0x00C3_6400, Some("CephFS")),
            (0x0116_1970, Some("GFS2")),
            (0x0BD0_0BD0, Some("Lustre")),
            (0x7461_636F, Some("OCFS2")),
            (0x5346_414F, Some("AFS")),
            (0x6B41_4653, Some("AFS")),
            (0x7375_7245, Some("Coda")),
            (0x564C, Some("NCP")),
            (0x0102_1997, Some("9P")),
            (0x6573_5546, Some("FUSE")),
            (0xEF53, None),      // ext2, ext3, ext4
            (0x5846_5342, None), // XFS
            (0x9123_683E, None), // btrfs
            (0xF2F5_2010, None), // F2FS
            (0x2FC1_2FC1, None), // ZFS
            (0x794C_7630, None), // overlayfs
            (0x0102_1994, None), // tmpfs
        ];
        for (f_type, name) in table {
            assert_eq!(kind_of(f_type), name, "{f_type:#x}");
        }
    }
}
