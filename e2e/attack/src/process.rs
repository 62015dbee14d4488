use std::{fs, path::PathBuf};

/// The process that listens on a port of this machine, found in `/proc`.
pub(crate) struct Process(PathBuf);

impl Process {
    /// Finds the process; `None` if it is not visible, for example because it belongs to another user.
    pub(crate) fn listening(port: u16) -> Option<Self> {
        let sockets = ["/proc/net/tcp", "/proc/net/tcp6"]
            .map(|file| fs::read_to_string(file).unwrap_or_default());
        let inode =
            sockets.iter().flat_map(|text| text.lines()).find_map(|line| inode(line, port))?;
        let target = format!("socket:[{inode}]");
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let has = |place: &PathBuf| {
            let handles = fs::read_dir(place.join("fd")).into_iter().flatten().flatten();
            let mut links = handles.filter_map(|handle| fs::read_link(handle.path()).ok());
            links.any(|link| link.as_os_str() == target.as_str())
        };
        let numbered =
            processes.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
        numbered.map(|entry| entry.path()).find(has).map(Self)
    }

    /// Its resident memory in mebibytes.
    pub(crate) fn resident_mib(&self) -> Option<u64> {
        let status = fs::read_to_string(self.0.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
    }

    pub(crate) fn lives(&self) -> bool {
        self.resident_mib().is_some()
    }
}

/// The inode in a line of `/proc/net/tcp`, if the socket listens on this port.
fn inode(line: &str, port: u16) -> Option<&str> {
    const LISTENS: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, LISTENS, .., _, _, _, _, _, _, _] = fields[..] else { return None };
    let (_, listens_on) = local.rsplit_once(':')?;
    (u16::from_str_radix(listens_on, 16) == Ok(port)).then_some(*fields.get(9)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_listens_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let process = Process::listening(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(process.0, PathBuf::from(format!("/proc/{}", std::process::id())));
        assert!(process.resident_mib().unwrap() > 0);
    }
}
