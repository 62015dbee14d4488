use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{Armed, FOLDER};

const ARMED: &str = "armed.json";

/// What is armed, and what has fired: files that outlive those who die by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The one at this path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The one that the environment names, if it does.
    #[must_use]
    pub fn of_environment() -> Option<Self> {
        env::var_os(FOLDER).map(|path| Self(path.into()))
    }

    /// Arms these cells, and no others. Processes look when they start.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn arm(&self, cells: &[Armed]) -> io::Result<()> {
        let new = self.0.join("armed.new");
        fs::write(&new, serde_json::to_vec_pretty(cells)?)?;
        fs::rename(new, self.0.join(ARMED))
    }

    /// The cells that are armed and have not fired; none if nothing was ever armed.
    ///
    /// # Errors
    /// If the file cannot be read, or holds something else.
    pub fn armed(&self) -> io::Result<Vec<Armed>> {
        let text = match fs::read(self.0.join(ARMED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read?,
        };
        let mut cells: Vec<Armed> = serde_json::from_slice(&text)?;
        cells.retain(|armed| self.hit(&armed.cell).is_none());
        Ok(cells)
    }

    /// Notes that a cell has fired, by this mark.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn fired(&self, cell: &str, mark: &str) -> io::Result<()> {
        fs::write(self.0.join(format!("{cell}.hit")), mark)
    }

    /// The mark by which a cell has fired, if it has.
    #[must_use]
    pub fn hit(&self, cell: &str) -> Option<String> {
        fs::read_to_string(self.0.join(format!("{cell}.hit"))).ok()
    }

    /// Remembers the events that a cell's reaction emitted: whoever publishes them may be another
    /// process.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn emitted(&self, cell: &str, events: &[(Uuid, String)]) -> io::Result<()> {
        fs::write(self.0.join(format!("{cell}.events")), serde_json::to_vec(events)?)
    }

    /// The events of a cell's reaction, each with the mark of its input.
    ///
    /// # Errors
    /// If the file cannot be read, or holds something else.
    pub fn events(&self, cell: &str) -> io::Result<Vec<(Uuid, String)>> {
        match fs::read(self.0.join(format!("{cell}.events"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => Ok(serde_json::from_slice(&read?)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Point;

    fn armed(cell: &str) -> Armed {
        Armed {
            cell: cell.to_owned(),
            service: "booking".to_owned(),
            input: "*reserve".to_owned(),
            point: Point::AfterCommit,
            marks: vec!["ada".to_owned()],
        }
    }

    #[test]
    fn what_has_fired_is_not_armed_any_more() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(temp.path());
        assert_eq!(folder.armed().expect("nothing yet"), []);
        folder.arm(&[armed("one"), armed("two")]).expect("written");
        folder.fired("one", "ada").expect("written");
        assert_eq!(folder.armed().expect("read"), [armed("two")]);
        assert_eq!(folder.hit("one").as_deref(), Some("ada"));
    }

    #[test]
    fn emitted_events_outlive_the_process() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = Folder::at(temp.path());
        let events = vec![(Uuid::from_u128(7), "ada".to_owned())];
        assert_eq!(folder.events("one").expect("none"), []);
        folder.emitted("one", &events).expect("written");
        assert_eq!(folder.events("one").expect("read"), events);
    }
}
