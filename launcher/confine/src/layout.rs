//! In which order the root is laid out, and what has to be made as a place to mount on.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};

use crate::plan::{Kind, Root};

/// One step of laying out the root. Paths are relative to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where.
    pub(crate) path: CString,
    /// What.
    pub(crate) what: What,
}

/// What comes to a path. Numbers are positions in the lists of [`Root`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A directory of the skeleton.
    Directory,
    /// A place to mount a file on.
    EmptyFile,
    /// `Root::files`.
    File(usize),
    /// `Root::links`.
    Link(usize),
    /// `Root::binds`.
    Bind(usize),
    /// `Root::tmpfs`.
    Tmpfs(usize),
    /// `Root::masks`.
    Mask(usize),
}

/// The entries in an order in which each finds its place: what is mounted over something comes after it, and a mount
/// point is made unless a bind above shows one.
pub(crate) fn entries(root: &Root) -> Vec<Entry> {
    let mut wanted: Vec<(&CStr, What)> = Vec::new();
    wanted.extend(root.directories.iter().map(|path| (path.as_c_str(), What::Directory)));
    wanted.extend(root.tmpfs.iter().enumerate().map(|(n, tmpfs)| (tmpfs.target.as_c_str(), What::Tmpfs(n))));
    wanted.extend(root.binds.iter().enumerate().map(|(n, bind)| (bind.target.as_c_str(), What::Bind(n))));
    wanted.extend(root.files.iter().enumerate().map(|(n, file)| (file.target.as_c_str(), What::File(n))));
    wanted.extend(root.links.iter().enumerate().map(|(n, link)| (link.path.as_c_str(), What::Link(n))));
    wanted.extend(root.masks.iter().enumerate().map(|(n, mask)| (mask.target.as_c_str(), What::Mask(n))));
    wanted.sort_by_key(|(path, what)| (depth(path), *path, rank(*what)));

    let mut entries = Vec::with_capacity(wanted.len() * 2);
    let mut made = BTreeSet::new();
    let mut shown: Vec<&[u8]> = Vec::new();
    for (path, what) in wanted {
        let bytes = path.to_bytes();
        let under_bind = shown.iter().any(|bind| is_within(bytes, bind));
        if !under_bind {
            for (at, _) in bytes.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/') {
                directory(&mut entries, &mut made, bytes.get(1..at));
            }
            match what {
                What::Directory | What::Tmpfs(_) => directory(&mut entries, &mut made, bytes.get(1..)),
                What::Bind(n) => match root.binds.get(n).map(|bind| bind.kind) {
                    Some(Kind::Directory) => directory(&mut entries, &mut made, bytes.get(1..)),
                    _ => push(&mut entries, bytes.get(1..), What::EmptyFile),
                },
                What::File(_) | What::Link(_) | What::Mask(_) | What::EmptyFile => {}
            }
        }
        match what {
            What::Directory => {}
            // A link or file of ours cannot be made in a tree of the host's; the tree's own object is what is seen.
            What::Link(_) | What::File(_) if under_bind => {}
            _ => push(&mut entries, bytes.get(1..), what),
        }
        if let What::Bind(n) = what
            && root.binds.get(n).is_some_and(|bind| bind.kind == Kind::Directory)
        {
            shown.push(bytes);
        }
    }
    entries
}

fn depth(path: &CStr) -> usize {
    path.to_bytes().iter().filter(|byte| **byte == b'/').count()
}

/// At one path, a mask covers what a bind shows there.
const fn rank(what: What) -> u8 {
    match what {
        What::Directory | What::EmptyFile => 0,
        What::Tmpfs(_) => 1,
        What::Bind(_) => 2,
        What::File(_) | What::Link(_) => 3,
        What::Mask(_) => 4,
    }
}

fn is_within(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.first() == Some(&b'/'))
}

fn directory(entries: &mut Vec<Entry>, made: &mut BTreeSet<Vec<u8>>, path: Option<&[u8]>) {
    if let Some(path) = path
        && !path.is_empty()
        && made.insert(path.to_vec())
    {
        push(entries, Some(path), What::Directory);
    }
}

fn push(entries: &mut Vec<Entry>, path: Option<&[u8]>, what: What) {
    // A part of a CString holds no NUL, so the conversion cannot fail.
    if let Some(path) = path.and_then(|path| CString::new(path).ok()) {
        entries.push(Entry { path, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileId;
    use crate::plan::{Access, Bind, File, Link, Mask, Tmpfs};

    fn path(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    fn bind(target: &str, kind: Kind) -> Bind {
        Bind {
            source: path(target),
            object: FileId { device: 0, inode: 0 },
            target: path(target),
            kind,
            access: Access::Read,
            map_owner: false,
        }
    }

    fn listing(root: &Root) -> Vec<(String, What)> {
        entries(root).into_iter().map(|entry| (entry.path.into_string().unwrap(), entry.what)).collect()
    }

    #[test]
    fn a_bind_gets_its_parents_and_a_mount_point_of_its_kind() {
        let root = Root { binds: vec![bind("/a/b", Kind::Directory), bind("/a/f", Kind::File)], ..Root::default() };
        assert_eq!(
            listing(&root),
            [
                ("a".into(), What::Directory),
                ("a/b".into(), What::Directory),
                ("a/b".into(), What::Bind(0)),
                ("a/f".into(), What::EmptyFile),
                ("a/f".into(), What::Bind(1)),
            ]
        );
    }

    #[test]
    fn nothing_is_made_below_a_bind() {
        let root = Root {
            binds: vec![bind("/p/out", Kind::Directory), bind("/p", Kind::Directory)],
            links: vec![Link { path: path("/p/link"), target: path("/x") }],
            masks: vec![Mask { target: path("/p/.env"), kind: Kind::File }],
            ..Root::default()
        };
        assert_eq!(
            listing(&root),
            [
                ("p".into(), What::Directory),
                ("p".into(), What::Bind(1)),
                ("p/.env".into(), What::Mask(0)),
                ("p/out".into(), What::Bind(0)),
            ]
        );
    }

    #[test]
    fn a_tmpfs_comes_before_what_is_mounted_in_it() {
        let root = Root {
            binds: vec![bind("/tmp/data", Kind::Directory)],
            tmpfs: vec![Tmpfs { target: path("/tmp"), bytes: 1 }],
            files: vec![File { target: path("/etc/hosts"), contents: Vec::new() }],
            ..Root::default()
        };
        assert_eq!(
            listing(&root),
            [
                ("tmp".into(), What::Directory),
                ("tmp".into(), What::Tmpfs(0)),
                ("etc".into(), What::Directory),
                ("etc/hosts".into(), What::File(0)),
                ("tmp/data".into(), What::Directory),
                ("tmp/data".into(), What::Bind(0)),
            ]
        );
    }

    #[test]
    fn a_sibling_whose_name_begins_alike_is_not_within() {
        let root =
            Root { binds: vec![bind("/data", Kind::Directory), bind("/data2/x", Kind::File)], ..Root::default() };
        assert!(listing(&root).contains(&("data2/x".into(), What::EmptyFile)));
    }
}
