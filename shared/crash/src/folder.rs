use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{Armed, FOLDER};

const ARMED: &str = "armed.json";

/// The folder that has which cells are armed and which have fired. Its files outlive the processes that die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder that the environment names, if it names one.
    #[must_use]
    pub fn of_environment() -> Option<Self> {
        env::var_os(FOLDER).map(|path| Self(path.into()))
    }

    /// Arms these cells and disarms all others. Processes read them when they start.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn arm(&self, cells: &[Armed]) -> io::Result<()> {
        let new = self.0.join("armed.new");
        fs::write(&new, serde_json::to_vec_pretty(cells)?)?;
        fs::rename(new, self.0.join(ARMED))
    }

    /// The armed cells that have not fired.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn armed(&self) -> io::Result<Vec<Armed>> {
        let text = match fs::read(self.0.join(ARMED)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read?,
        };
        let mut cells: Vec<Armed> = serde_json::from_slice(&text)?;
        cells.retain(|armed| self.hit(&armed.cell).is_none());
        Ok(cells)
    }

    /// Stores that a cell has fired for an input with this mark.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn fired(&self, cell: &str, mark: &str) -> io::Result<()> {
        fs::write(self.0.join(format!("{cell}.hit")), mark)
    }

    /// The mark of the input for which a cell has fired, if it has.
    #[must_use]
    pub fn hit(&self, cell: &str) -> Option<String> {
        fs::read_to_string(self.0.join(format!("{cell}.hit"))).ok()
    }

    /// Stores the events that the reaction to a cell's input emitted, because another process may publish them.
    /// Each event has the mark of the input.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn emitted(&self, cell: &str, events: &[(Uuid, String)]) -> io::Result<()> {
        fs::write(self.0.join(format!("{cell}.events")), serde_json::to_vec(events)?)
    }

    /// The events of [`Folder::emitted`], each with the mark of its input.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
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
    fn a_cell_that_has_fired_is_not_armed_any_more() {
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
