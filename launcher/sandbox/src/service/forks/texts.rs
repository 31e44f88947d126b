//! Functions that are called by their text: each comes into a folder of its own, whose name nobody else knows, in one that
//! nobody may list.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};
use crate::host;
use crate::scratch::Scratch;
use crate::stage;

/// The folder that they come into.
pub(super) struct Texts {
    folder: PathBuf,
    _scratch: Scratch,
}

/// One of them. It goes away with this.
pub(super) struct Text {
    folder: PathBuf,
    name: String,
}

const FUNCTION: &str = "function.ts";

impl Texts {
    /// Makes it, for the user who takes programs.
    pub(super) fn make() -> Result<Self, Error> {
        let scratch = Scratch::make(host::identity())?;
        let folder = scratch.calls();
        let made = DirBuilder::new().mode(0o300).create(&folder);
        // Whatever our umask. Who may not list it does not learn the names of others.
        let made = made.and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(0o311)));
        made.map_err(|error| Error::io(Kind::Sandbox, "make", &folder, &error))?;
        Ok(Self { folder, _scratch: scratch })
    }

    /// Where it is on the host.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a text where a child can import it.
    pub(super) fn put(&self, text: &str) -> io::Result<Text> {
        let mut random = [0; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let name = format!("{:032x}", u128::from_ne_bytes(random));
        let folder = self.folder.join(&name);
        DirBuilder::new().mode(0o755).create(&folder)?;
        let put = Text { folder, name };
        fs::set_permissions(&put.folder, Permissions::from_mode(0o755))?;
        let path = put.folder.join(FUNCTION);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o444))?;
        Ok(put)
    }
}

impl Text {
    /// Where it is for the child.
    pub(super) fn path(&self) -> String {
        stage::path_of_call(&format!("{}/{FUNCTION}", self.name))
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // What cannot be removed goes with the folder around it.
        let _ = fs::remove_file(self.folder.join(FUNCTION)).and_then(|()| fs::remove_dir(&self.folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_there_as_long_as_it_is_called() {
        let texts = Texts::make().unwrap();
        let [one, other] = ["export default 1", "export default 2"].map(|text| texts.put(text).unwrap());
        assert_ne!(one.path(), other.path());
        assert_eq!(fs::read_to_string(one.folder.join(FUNCTION)).unwrap(), "export default 1");
        let folder = one.folder.clone();
        drop(one);
        assert!(!folder.exists() && other.folder.exists());
        let mode = fs::metadata(texts.folder()).unwrap().permissions().mode();
        assert_eq!(mode & 0o444, 0, "nobody may list it");
        let folder = texts.folder().to_owned();
        drop((other, texts));
        assert!(!folder.exists());
    }
}
