//! Macros of the facade, and what they expand to.

/// Makes newtypes over [`Uuid`](crate::uuid::Uuid): ids, and the key of a saga's aggregates. Each can also be a column of a
/// [`record!`](crate::record).
///
/// ```
/// quintet::ids! {
///     /// A trip, and the key of all its events.
///     TripId;
/// }
///
/// #[derive(Clone, PartialEq)]
/// struct Trip {
///     id: TripId,
///     nights: i64,
/// }
/// quintet::record!(Trip in "trip": id: TripId, nights: i64);
///
/// let id: TripId = "018f3a5c-1b2d-7c3e-8f40-112233445566".parse()?;
/// assert_eq!(quintet::Record::key(&Trip { id, nights: 3 }), id);
/// # Ok::<(), quintet::uuid::Error>(())
/// ```
#[macro_export]
macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        $crate::event::ids! { $($(#[doc = $doc])+ $name;)+ }
        $crate::uuid_field!($($name),+);
    };
}

/// Collects handlers that have a `#[utoipa::path]`, for [`OpenApiRouter::routes`](crate::OpenApiRouter::routes). One call takes the handlers of one
/// path. A module with such handlers has `use quintet::utoipa;`.
///
/// ```
/// use quintet::utoipa;
/// use quintet::{OpenApiRouter, routes};
///
/// /// Says that it is there.
/// #[utoipa::path(get, path = "/", responses((status = 200, description = "It is.")))]
/// async fn here() -> &'static str {
///     "here"
/// }
///
/// let (_, api) = OpenApiRouter::<()>::default().routes(routes!(here)).split_for_parts();
/// assert!(api.paths.paths.contains_key("/"));
/// ```
#[macro_export]
macro_rules! routes {
    ($($handler:path),+ $(,)?) => {{
        // What `utoipa_axum::routes!` expands to names `axum`.
        use $crate::axum;
        $crate::utoipa_axum::routes!($($handler),+)
    }};
}
