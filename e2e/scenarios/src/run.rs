use std::{
    pin::Pin,
    process::ExitCode,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use libtest_mimic::{Arguments, Trial};

use crate::{Backend, Options, Suite, Visitor, programs};

/// A scenario: what a visitor does.
pub type Play = fn(Visitor) -> Pin<Box<dyn Future<Output = ()>>>;

/// The scenarios of a test binary.
#[derive(Default)]
pub struct Scenarios {
    trials: Vec<Trial>,
}

/// A suite that several scenarios use. It starts with the first and ends with the last.
pub struct Shared {
    options: Options,
    suite: OnceLock<Arc<Suite>>,
    turn: Mutex<()>,
    one_by_one: bool,
}

impl Shared {
    /// For scenarios that disturb nobody: they run at the same time.
    #[must_use]
    pub fn new(options: Options) -> Arc<Self> {
        Arc::new(Self { options, suite: OnceLock::new(), turn: Mutex::new(()), one_by_one: false })
    }

    /// For scenarios that need the suite to themselves: one after the other.
    #[must_use]
    pub fn in_turns(options: Options) -> Arc<Self> {
        Arc::new(Self { options, suite: OnceLock::new(), turn: Mutex::new(()), one_by_one: true })
    }

    fn run(&self, play: Play) {
        let turn = || self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = self.one_by_one.then(turn);
        let start = || Arc::new(Suite::start(self.options.clone()));
        run(Arc::clone(self.suite.get_or_init(start)), play);
    }
}

impl Scenarios {
    /// Adds a scenario on a shared suite.
    pub fn shared(&mut self, name: &str, suite: &Arc<Shared>, play: Play) {
        let (name, suite) = (named(name, &suite.options.backend), Arc::clone(suite));
        self.trials.push(Trial::test(name, move || {
            suite.run(play);
            Ok(())
        }));
    }

    /// Adds a scenario with a suite of its own.
    pub fn alone(&mut self, name: &str, options: Options, play: Play) {
        let name = named(name, &options.backend);
        self.trials.push(Trial::test(name, move || {
            run(Arc::new(Suite::start(options)), play);
            Ok(())
        }));
    }

    /// Runs them, so many at once unless the command line says otherwise.
    #[must_use]
    pub fn run(self, at_once: usize) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(at_once);
        if !arguments.list {
            // Before the scenarios, so that a build that fails is said once.
            programs::quintet();
        }
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}

fn named(name: &str, backend: &Backend) -> String {
    format!("{backend}::{name}")
}

/// Each scenario has a runtime and connections of its own; the suite outlives them.
fn run(suite: Arc<Suite>, play: Play) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(play(Visitor::of(suite)));
}

/// Adds scenarios by their paths: `scenarios!(all.shared(&suite): ended::completed, …)`.
#[macro_export]
macro_rules! scenarios {
    ($to:ident.$how:ident($where:expr): $($($name:ident)::+),+ $(,)?) => {$(
        $to.$how(&stringify!($($name)::+).replace(' ', ""), $where, |visitor| {
            Box::pin($($name)::+(visitor))
        });
    )+};
}
