use super::*;

#[derive(Clone, Debug, PartialEq)]
struct Rooms {
    floor: i64,
    free: i64,
}
crate::record!(Rooms in "rooms": floor: i64, free: i64);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A session that will leave this many free rooms on floor 1.
fn writing(cache: &Arc<RowCache>, now: u64, free: i64) -> CacheSession {
    let mut session = CacheSession::new(cache, at(now));
    session.put_on_commit(vec![Arc::new(Rooms { floor: 1, free })], Vec::new());
    session
}

/// The free rooms of floors 1 and 2, as far as a new session finds them.
fn found(cache: &Arc<RowCache>, now: u64) -> Vec<i64> {
    let found = CacheSession::new(cache, at(now)).find::<Rooms>([1, 2].iter());
    found.iter().flatten().map(|rooms| rooms.free).collect()
}

#[test]
fn a_committed_row_is_found_for_ten_seconds_however_often_it_is_written() {
    let cache = Arc::default();
    drop(writing(&cache, 100, 5));
    assert!(found(&cache, 100).is_empty(), "it was rolled back");
    writing(&cache, 100, 7).committed();
    assert_eq!(found(&cache, 109), [7]);
    writing(&cache, 109, 8).committed();
    assert_eq!(found(&cache, 109), [8]);
    assert!(found(&cache, 110).is_empty(), "an operator may have changed it by hand");
    writing(&cache, 110, 9).committed();
    assert_eq!(found(&cache, 119), [9]);
}

#[test]
fn a_deleted_row_is_not_found_after_the_commit() {
    let cache = Arc::default();
    writing(&cache, 100, 5).committed();
    let mut session = CacheSession::new(&cache, at(101));
    session.put_on_commit::<Rooms>(Vec::new(), vec![1]);
    assert_eq!(found(&cache, 101), [5], "it has not committed");
    session.committed();
    assert!(found(&cache, 101).is_empty());
}

#[test]
fn a_session_from_before_a_clear_finds_nothing_and_leaves_nothing() {
    let cache = Arc::default();
    writing(&cache, 0, 7).committed();
    let early = writing(&cache, 0, 8);
    cache.clear();
    writing(&cache, 0, 9).committed();
    assert!(early.find::<Rooms>([1].iter()).is_empty());
    early.committed();
    assert_eq!(found(&cache, 0), [9]);
}

#[test]
fn an_older_copy_of_a_row_is_neither_renewed_nor_found_in_place_of_a_newer_one() {
    let cache = Arc::default();
    writing(&cache, 110, 7).committed();
    let others = (10..).take(GENERATION).map(|floor| Arc::new(Rooms { floor, free: 1 }));
    let mut session = CacheSession::new(&cache, at(110));
    session.put_on_commit(others.collect(), Vec::new());
    session.committed();
    writing(&cache, 112, 8).committed();
    assert_eq!(found(&cache, 119), [8]);
    assert!(found(&cache, 120).is_empty(), "the older copy was read at 110");
    let mut session = CacheSession::new(&cache, at(113));
    session.put_on_commit::<Rooms>(Vec::new(), vec![1]);
    session.committed();
    assert!(found(&cache, 113).is_empty());
}

#[test]
fn the_memory_of_expired_rows_is_given_back() {
    let cache: Arc<RowCache> = Arc::default();
    let row = Arc::new(Rooms { floor: 1, free: 7 });
    let held = Arc::downgrade(&row);
    let mut session = CacheSession::new(&cache, at(0));
    session.put_on_commit(vec![row], Vec::new());
    session.committed();
    cache.drop_expired(at(9));
    assert!(held.upgrade().is_some());
    cache.drop_expired(at(10));
    assert!(held.upgrade().is_none());
}

#[test]
fn between_one_and_two_generations_of_rows_are_kept() {
    let (cache, last) = (Arc::default(), 5 * i64::try_from(GENERATION).unwrap() / 2);
    for floor in 0..=last {
        let mut session = CacheSession::new(&cache, at(0));
        session.put_on_commit(vec![Arc::new(Rooms { floor, free: 1 })], Vec::new());
        session.committed();
    }
    let floors: Vec<_> = (0..=last).collect();
    let found = CacheSession::new(&cache, at(0)).find::<Rooms>(floors.iter());
    let count = found.iter().flatten().count();
    assert!((GENERATION..=2 * GENERATION).contains(&count), "{count}");
    assert!(found.last().is_some_and(Option::is_some), "the last row is kept");
}

#[test]
fn a_panic_under_the_lock_clears_the_cache_which_then_works_again() {
    let cache: Arc<RowCache> = Arc::default();
    writing(&cache, 0, 7).committed();
    let panicking = Arc::clone(&cache);
    let panicked = std::thread::spawn(move || {
        let _state = panicking.state();
        panic!("under the lock");
    });
    panicked.join().unwrap_err();
    assert!(found(&cache, 0).is_empty());
    writing(&cache, 0, 8).committed();
    assert_eq!(found(&cache, 0), [8]);
}
