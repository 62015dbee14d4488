//! Macros of the facade.

/// Defines newtypes over [`Uuid`](crate::uuid::Uuid): ids, and the key of a saga's aggregates. Each can be a column of a
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

/// Collects the handlers of one path, which have a `#[utoipa::path]`, for
/// [`OpenApiRouter::routes`](crate::OpenApiRouter::routes). A module with such handlers needs `use quintet::utoipa;`.
///
/// ```
/// use quintet::utoipa;
/// use quintet::{OpenApiRouter, routes};
///
/// /// Greets the client.
/// #[utoipa::path(get, path = "/", responses((status = 200, description = "A greeting.")))]
/// async fn greet() -> &'static str {
///     "hello"
/// }
///
/// let (_, api) = OpenApiRouter::<()>::default().routes(routes!(greet)).split_for_parts();
/// assert!(api.paths.paths.contains_key("/"));
/// ```
#[macro_export]
macro_rules! routes {
    ($($handler:path),+ $(,)?) => {{
        // The expansion of `utoipa_axum::routes!` names the crate `axum`.
        use $crate::axum;
        $crate::utoipa_axum::routes!($($handler),+)
    }};
}
