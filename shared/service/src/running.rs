//! The parts of a service that run side by side, and the order in which they end.

use std::{future::Future, time::Duration};

use engine::Fatal;
use futures::future::join_all;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::leash::Shutdown;

/// How long requests in flight may take once the service stops.
const HTTP_DRAIN: Duration = Duration::from_secs(5);

/// The engine and the HTTP listeners of a service.
pub(crate) struct Running {
    name: &'static str,
    engine: JoinHandle<Result<(), Fatal>>,
    /// Turns true when the engine should drain.
    engine_stop: watch::Sender<bool>,
    http: Http,
}

/// The tasks that answer HTTP requests.
pub(crate) struct Http {
    /// Turns true when the tasks should end.
    pub stop: watch::Sender<bool>,
    pub answering: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts the engine of the service `name` in a task of its own: it works on while HTTP requests drain, and a
    /// panic of it becomes an error.
    pub(crate) fn start<F>(
        name: &'static str,
        http: Http,
        engine: impl FnOnce(watch::Receiver<bool>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), Fatal>> + Send + 'static,
    {
        let (engine_stop, engine_stopped) = watch::channel(false);
        Self { name, engine: tokio::spawn(engine(engine_stopped)), engine_stop, http }
    }

    /// Waits for a request to stop, then drains the HTTP requests and the engine. If the engine ends by itself, it
    /// drains the HTTP requests alone.
    ///
    /// # Errors
    /// What ended the engine, or a second request to stop that came before the drain was over.
    pub(crate) async fn until_stopped(self, mut shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { name, mut engine, engine_stop, http } = self;
        tokio::select! {
            why = shutdown.recv() => tracing::info!("{name} drains: {why}"),
            ended = &mut engine => {
                tokio::select! {
                    () = http.drain() => {}
                    // Cuts the drain short, but must not hide what has ended the engine.
                    _ = shutdown.recv() => {}
                }
                // The outer error is a panic of the engine's task.
                return Ok(ended??);
            }
        }
        // The engine goes on until the HTTP requests have ended: a command that a request has sent is answered when
        // the engine has committed it. The other way round, requests in flight would be answered 503.
        let drain = async {
            http.drain().await;
            engine_stop.send_replace(true);
            (&mut engine).await
        };
        let why = tokio::select! {
            ended = drain => return Ok(ended??),
            why = shutdown.recv() => why,
        };
        if engine.is_finished() {
            return Ok(engine.await??);
        }
        anyhow::bail!("{why} came before the service had drained")
    }
}

impl Http {
    /// Tells the tasks to stop, and waits until their requests have ended, at most [`HTTP_DRAIN`].
    async fn drain(self) {
        self.stop.send_replace(true);
        if timeout(HTTP_DRAIN, join_all(self.answering)).await.is_err() {
            tracing::warn!("some requests were still open after {HTTP_DRAIN:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use bus::BusError;
    use tokio::sync::oneshot;

    use super::*;

    /// A listener with a request that never ends, and a receiver that tells when the drain has begun.
    fn open_request() -> (Http, watch::Receiver<bool>) {
        let (stop, draining) = watch::channel(false);
        (Http { stop, answering: vec![tokio::spawn(pending())] }, draining)
    }

    /// A service of which each request to stop comes from the test, by the end of its parent.
    fn parent() -> (oneshot::Sender<()>, Shutdown) {
        let (end, ended) = oneshot::channel();
        (end, Shutdown::listening_to(Some(ended)).unwrap())
    }

    #[tokio::test]
    async fn a_request_to_stop_does_not_hide_what_has_ended_the_engine() {
        let (http, mut draining) = open_request();
        let (parent, shutdown) = parent();
        let refusal = BusError::Unavailable { reason: "the broker refuses it".into() };
        let running = Running::start("booking", http, |_| async { Err(Fatal::from(refusal)) });
        let ended = tokio::spawn(running.until_stopped(shutdown));
        draining.wait_for(|draining| *draining).await.unwrap();
        parent.send(()).unwrap();
        let error = ended.await.unwrap().unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Fatal::Bus(_))), "{error}");
    }

    #[tokio::test]
    async fn a_second_request_does_not_hide_what_ended_the_engine_during_the_drain() {
        let (http, mut draining) = open_request();
        let (mut engine_draining, (engine_ended, mut has_ended)) =
            (draining.clone(), watch::channel(false));
        let running = Running::start("booking", http, |_| async move {
            engine_draining.wait_for(|draining| *draining).await.unwrap();
            engine_ended.send_replace(true);
            Err(Fatal::from(BusError::Unavailable { reason: "the broker refuses it".into() }))
        });
        let (parent, shutdown) = parent();
        parent.send(()).unwrap();
        let ended = tokio::spawn(running.until_stopped(shutdown));
        draining.wait_for(|draining| *draining).await.unwrap();
        has_ended.wait_for(|ended| *ended).await.unwrap();
        // The second request; the tests of this process do without SIGTERM otherwise.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
            .unwrap();
        let error = ended.await.unwrap().unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Fatal::Bus(_))), "{error}");
    }

    #[tokio::test]
    async fn the_engine_works_until_the_requests_have_ended_and_its_drain_ends_the_service() {
        let (mut http, mut draining) = open_request();
        let mut request_draining = draining.clone();
        let (request_ended, engine_may_end) = watch::channel(false);
        http.answering = vec![tokio::spawn(async move {
            request_draining.wait_for(|draining| *draining).await.unwrap();
            request_ended.send_replace(true);
        })];
        let (parent, shutdown) = parent();
        let running = Running::start("booking", http, |mut stopped| async move {
            stopped.wait_for(|stopped| *stopped).await.unwrap();
            assert!(
                *engine_may_end.borrow(),
                "the engine was stopped before the request had ended"
            );
            Ok(())
        });
        parent.send(()).unwrap();
        running.until_stopped(shutdown).await.unwrap();
        assert!(*draining.borrow_and_update());
    }
}
