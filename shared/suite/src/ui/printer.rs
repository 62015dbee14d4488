//! Prints lines on a thread of its own. A terminal that takes nothing, such as one that the user has stopped by Ctrl-S or
//! a pipe that is not read, then holds up no task that prints.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many lines may wait for the terminal. More of them are lost, and counted.
const WAITING: usize = 1_000;
/// How long the end of the printing waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// The queue to the thread, while there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Printer(Arc<Mutex<Option<Queue>>>);

#[derive(Clone, Debug)]
struct Queue {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

/// The printing by a thread. Dropping this prints what waits, and ends the thread.
#[derive(Debug)]
pub(crate) struct Printing {
    printer: Printer,
    ended: Receiver<()>,
}

impl Printer {
    /// Hands the line to the thread; false if there is none.
    pub(super) fn takes(&self, line: &str) -> bool {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Queue { lines, lost }) = queue else { return false };
        if lines.try_send(line.to_owned()).is_err() {
            lost.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// Starts the thread, which calls `print` for each line.
    pub(super) fn start(&self, print: impl Fn(&str) + Send + 'static) -> Printing {
        let (lines, waiting) = sync_channel::<String>(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = Queue { lines, lost: Arc::clone(&lost) };
        let (end, ended) = channel();
        std::thread::spawn(move || {
            for line in waiting {
                print(&line);
                match lost.swap(0, Ordering::Relaxed) {
                    0 => {}
                    lost => print(&format!("(the terminal was too slow for {lost} more lines)")),
                }
            }
            // Sending fails if the end of the printing was not waited for.
            let _ = end.send(());
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue);
        Printing { printer: self.clone(), ended }
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        // The thread ends when the last sender is gone.
        *self.printer.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_takes_nothing_holds_up_nothing_and_loses_are_counted() {
        let printer = Printer::default();
        assert!(!printer.takes("there is no thread yet"));
        let (open, gate) = channel::<()>();
        let (print, lines) = channel();
        let (begin, first_line) = channel();
        let printing = printer.start(move |line| {
            let _ = begin.send(());
            let _ = gate.recv();
            let _ = print.send(line.to_owned());
        });
        assert!(printer.takes("first"));
        first_line.recv().unwrap();
        for nth in 0..WAITING + 7 {
            assert!(printer.takes(&nth.to_string()));
        }
        drop(open);
        drop(printing);
        let lines: Vec<String> = lines.iter().collect();
        assert_eq!((lines.len(), lines[0].as_str()), (WAITING + 2, "first"));
        assert_eq!(lines[1], "(the terminal was too slow for 7 more lines)");
        assert!(!printer.takes("the thread has ended"));
    }
}
