//! The macro that makes a contract from a table.

/// Makes a [`Contract`](crate::Contract) from a table: the enum of events, the enum of their types, and a struct
/// for the data of each event.
///
/// The table begins with
/// - the two enums: `pub enum Event: EventType;`
/// - `namespace`: the saga's name, see [`Contract::NAMESPACE`](crate::Contract::NAMESPACE);
/// - `key`: the field that names the aggregate in the data of events, and its type;
/// - `schemas`: the folder of the JSON Schemas, relative to the crate's root;
/// - `compacted`: the topics that keep the latest record of each key for ever, separated by commas, or none;
/// - `payloads(…)`: the traits that the structs of the data derive. `Clone`, `Debug`, `PartialEq`,
///   `serde::Serialize` and `serde::Deserialize` are necessary.
///
/// It continues with an entry for each type of event:
///
/// ```text
/// TripBooked by "booking" on "trips" in "trip_booked": 1 as TripBookedV1, 2 { trip_id: TripId, … }
/// ```
///
/// - `by` the service that publishes the event, `on` its topic;
/// - `in` the folder of its schemas: `trip_booked/v1.json` and an example, `trip_booked/v1.example.json`;
/// - its versions in ascending order. An earlier version names a type that implements
///   [`Earlier`](crate::Earlier) for the latest. Without a type, its data is read as that of the next version;
/// - the fields of its data in the latest version. An event whose subject is not an aggregate names the field
///   of its subject: `HotelListed about hotel by …`.
#[macro_export]
macro_rules! contract {
    (
        $(#[$doc:meta])*
        $vis:vis enum $event:ident: $types:ident;
        namespace $namespace:literal;
        key $key:ident: $key_type:ty;
        schemas $schemas:literal;
        compacted $($compacted:literal),*;
        payloads $derived:tt;
        $(
            $(#[$entry_doc:meta])*
            $name:ident $(about $about:ident)? by $publisher:literal on $topic:literal in $folder:literal:
            $($version:literal $(as $earlier:ident)?),+
            { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }
        )+
    ) => {
        $(
            $(#[$entry_doc])*
            #[derive $derived]
            $vis struct $name { $($(#[$field_doc])* pub $field: $type,)* }

            impl ::core::convert::From<$name> for $event {
                fn from(data: $name) -> Self {
                    Self::$name(data)
                }
            }
        )+

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the struct of the same name is documented")]
        $vis enum $event { $($name($name),)+ }

        /// The type of an event. The struct of the same name has its data.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the struct of the same name is documented")]
        $vis enum $types { $($name,)+ }

        $crate::contract!(@text $types: $($name)+);
        $crate::contract!(
            @types $types $namespace $schemas:
            $($name $publisher $topic $folder: $($version)+;)+
        );

        impl $crate::Contract for $event {
            const NAMESPACE: &'static str = $namespace;
            const KEY_FIELD: &'static str = ::core::stringify!($key);
            type Type = $types;
            type Key = $key_type;

            fn event_type(&self) -> $types {
                match self { $(Self::$name(_) => $types::$name,)+ }
            }

            fn subject(&self) -> $crate::Subject<$key_type> {
                match self {
                    $(Self::$name(data) => $crate::contract!(@subject data $key $($about)?),)+
                }
            }

            fn encode(
                &self,
                versions: &$crate::Versions<Self>,
            ) -> (u32, ::std::boxed::Box<$crate::private::serde_json::value::RawValue>) {
                let _ = versions;
                match self {
                    $(Self::$name(data) => {
                        $($(
                            if versions.of($types::$name) == Some($version)
                                && let Some(data) =
                                    <$earlier<'_> as $crate::Earlier<'_, $name>>::downcast(data)
                            {
                                return ($version, $crate::private::text(&data));
                            }
                        )?)+
                        let latest = $crate::EventType::latest_version($types::$name);
                        (latest, $crate::private::text(data))
                    })+
                }
            }

            fn decode(
                event_type: $types,
                version: u32,
                data: $crate::private::serde_json::Value,
            ) -> ::core::result::Result<Self, $crate::DecodeError> {
                let decoded = match event_type {
                    $($types::$name => {
                        #[allow(unused_mut, reason = "most types have one version")]
                        let mut data = data;
                        $($(
                            if version <= $version {
                                <$earlier<'_> as $crate::Earlier<'_, $name>>::upcast(&mut data);
                            }
                        )?)+
                        $crate::private::serde_json::from_value(data).map(Self::$name)
                    })+
                };
                let _ = version;
                decoded.map_err(|source| $crate::DecodeError::Unfit {
                    event_type: $crate::EventType::as_str(event_type),
                    source,
                })
            }

            fn topics() -> &'static [$crate::TopicSpec] {
                static TOPICS: ::std::sync::LazyLock<::std::vec::Vec<$crate::TopicSpec>> =
                    ::std::sync::LazyLock::new(|| {
                        let compacted: &[&str] = &[$($compacted),*];
                        let types = <$types as $crate::EventType>::ALL.iter();
                        let names: ::std::collections::BTreeSet<_> =
                            types.map(|it| $crate::EventType::topic(*it)).collect();
                        let names = names.into_iter();
                        names.map(|it| $crate::TopicSpec::new(it, compacted.contains(&it))).collect()
                    });
                &TOPICS
            }
        }
    };

    (@subject $data:ident $key:ident) => { $crate::Subject::Aggregate($data.$key) };
    (@subject $data:ident $key:ident $about:ident) => {
        $crate::Subject::Other($data.$about.to_string())
    };

    (@text $types:ident: $($name:ident)+) => {
        impl ::std::fmt::Display for $types {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad($crate::EventType::as_str(*self))
            }
        }

        impl ::std::str::FromStr for $types {
            type Err = $crate::UnknownEventType;

            fn from_str(name: &str) -> ::core::result::Result<Self, Self::Err> {
                match name {
                    $(::core::stringify!($name) => Ok(Self::$name),)+
                    _ => Err($crate::UnknownEventType::new(name)),
                }
            }
        }

        impl $crate::private::serde::Serialize for $types {
            fn serialize<S: $crate::private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::EventType::as_str(*self))
            }
        }

        impl<'de> $crate::private::serde::Deserialize<'de> for $types {
            fn deserialize<D: $crate::private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let name =
                    <::std::borrow::Cow<'de, str> as $crate::private::serde::Deserialize>::deserialize(
                        deserializer,
                    )?;
                name.parse().map_err($crate::private::serde::de::Error::custom)
            }
        }
    };

    (@types $types:ident $namespace:literal $schemas:literal:
        $($name:ident $publisher:literal $topic:literal $folder:literal: $($version:literal)+;)+
    ) => {
        impl $crate::EventType for $types {
            const ALL: &'static [Self] = &[$(Self::$name,)+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$name => ::core::stringify!($name),)+ }
            }

            fn publisher(self) -> &'static str {
                match self { $(Self::$name => $publisher,)+ }
            }

            fn topic(self) -> &'static str {
                match self { $(Self::$name => $topic,)+ }
            }

            fn folder(self) -> &'static str {
                match self { $(Self::$name => $folder,)+ }
            }

            fn schemas(self) -> &'static [$crate::Schema<Self>] {
                match self {
                    $(Self::$name => {
                        static SCHEMAS: [$crate::Schema<$types>; [$($version,)+].len()] =
                            [$($crate::Schema::new(
                                $types::$name,
                                $version,
                                ::core::concat!("urn:", $namespace, ":schemas:", $folder, ":v", $version),
                                $crate::contract!(@file $schemas, $folder, "/v", $version, ".json"),
                                $crate::contract!(
                                    @file $schemas, $folder, "/v", $version, ".example.json"
                                ),
                            ),)+];
                        &SCHEMAS
                    })+
                }
            }
        }
    };

    (@file $schemas:literal, $($path:literal),+) => {
        ::core::include_str!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", $schemas, "/", $($path),+))
    };
}
