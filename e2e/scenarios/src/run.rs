use std::{
    pin::Pin,
    process::ExitCode,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use libtest_mimic::{Arguments, Trial};

use crate::{Backend, Options, TestSuite, Visitor, programs};

/// A scenario as a function.
pub type Scenario = fn(Visitor) -> Pin<Box<dyn Future<Output = ()>>>;

/// The scenarios of a test binary.
#[derive(Default)]
pub struct Scenarios {
    trials: Vec<Trial>,
}

/// A suite that several scenarios use. It starts with the first and ends with the last.
pub struct Shared {
    options: Options,
    suite: OnceLock<Arc<TestSuite>>,
    /// Held while a scenario runs, if scenarios run one after the other.
    lock: Mutex<()>,
    one_by_one: bool,
}

impl Shared {
    /// A suite whose scenarios run at the same time.
    #[must_use]
    pub fn new(options: Options) -> Arc<Self> {
        Arc::new(Self { options, suite: OnceLock::new(), lock: Mutex::new(()), one_by_one: false })
    }

    /// A suite whose scenarios run one after the other, because they change how the providers behave or stop services.
    #[must_use]
    pub fn one_by_one(options: Options) -> Arc<Self> {
        Arc::new(Self { options, suite: OnceLock::new(), lock: Mutex::new(()), one_by_one: true })
    }

    fn run(&self, scenario: Scenario) {
        let lock = || self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.one_by_one.then(lock);
        let start = || Arc::new(TestSuite::start(self.options.clone()));
        run(Arc::clone(self.suite.get_or_init(start)), scenario);
    }
}

impl Scenarios {
    /// Adds a scenario on a shared suite.
    pub fn shared(&mut self, name: &str, suite: &Arc<Shared>, scenario: Scenario) {
        let (name, suite) = (named(name, &suite.options.backend), Arc::clone(suite));
        self.trials.push(Trial::test(name, move || {
            suite.run(scenario);
            Ok(())
        }));
    }

    /// Adds a scenario with a suite of its own.
    pub fn alone(&mut self, name: &str, options: Options, scenario: Scenario) {
        let name = named(name, &options.backend);
        self.trials.push(Trial::test(name, move || {
            run(Arc::new(TestSuite::start(options)), scenario);
            Ok(())
        }));
    }

    /// Runs the scenarios, `at_once` at a time unless the command line has `--test-threads`.
    #[must_use]
    pub fn run(self, at_once: usize) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(at_once);
        if !arguments.list {
            // Built before the scenarios, so that a failing build is reported once and not by each of them.
            programs::quintet();
        }
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}

fn named(name: &str, backend: &Backend) -> String {
    format!("{backend}::{name}")
}

/// Runs a scenario in a runtime of its own. A shared suite outlives it.
fn run(suite: Arc<TestSuite>, scenario: Scenario) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(scenario(Visitor::of(suite)));
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
