//! Completes the `OpenAPI` description of the routes with the parts that hold for every route.

use std::collections::BTreeMap;

use event::Contract;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, HeaderBuilder, Info, KnownFormat, ObjectBuilder, OpenApi, PathItem, Ref, RefOr,
        Response, ResponseBuilder, Schema, SchemaFormat, ServerBuilder, Type, path::Operation,
        schema::SchemaType,
    },
};

use crate::http::{Problem, noun};

const PROBLEM: &str = "application/problem+json";

/// Answers of every route.
const ANY: [(&str, &str); 2] = [
    ("500", "The request could not be carried out; the service's log says why."),
    (
        "503",
        "The database or the broker is away, or the service stops: send the request again later.",
    ),
];
/// Answers of a route with parameters or headers.
const WITH_PARAMETERS: [(&str, &str); 1] =
    [("400", "A parameter, a header or the body's syntax is wrong; the problem names it.")];
/// Answers of a route with a body.
const WITH_BODY: [(&str, &str); 5] = [
    WITH_PARAMETERS[0],
    ("408", "The body did not arrive in time."),
    ("413", "The body is too large."),
    ("415", "The body is not declared as JSON, or is compressed."),
    ("422", "A field is not acceptable; the problem names it and says what is."),
];
/// Answers of a route that changes something.
const CHANGING: [(&str, &str); 1] =
    [("429", "Too many requests are waiting: send this one again after `Retry-After` seconds.")];

/// The answers that the description gives every route of a kind: the status and its text.
pub fn common_answers() -> impl Iterator<Item = (&'static str, &'static str)> {
    ANY.into_iter().chain(WITH_BODY).chain(CHANGING)
}

/// Names the service, and adds to each route the answers that follow from its parameters, body and method.
pub(crate) fn complete<C: Contract>(description: &mut OpenApi, service: &str) {
    description.info = Info::new(title::<C>(service), env!("CARGO_PKG_VERSION").to_owned());
    description.info.description = Some(
        "Errors are `application/problem+json` (RFC 9457) and name the field and the fix. Every \
         answer carries an `x-request-id`: the request's, or a new one."
            .into(),
    );
    // A relative address, because the service does not know its own address behind a proxy.
    let server = ServerBuilder::new().url("/").description(Some("This listener.")).build();
    description.servers = Some(vec![server]);
    // An empty list says that no route authenticates its callers. Without it the description would leave that open.
    description.security = Some(Vec::new());
    let components = description.components.get_or_insert_default();
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    name_aggregates::<C>(&mut components.schemas);
    let paths = std::mem::take(&mut description.paths.paths).into_iter();
    description.paths.paths = paths.map(|(path, item)| (named::<C>(&path), item)).collect();
    for item in description.paths.paths.values_mut() {
        let PathItem { get, put, post, delete, patch, .. } = item;
        if let Some(operation) = get {
            name_parameters::<C>(operation);
            complete_operation(operation, false);
        }
        for operation in [put, post, delete, patch].into_iter().flatten() {
            name_parameters::<C>(operation);
            complete_operation(operation, true);
        }
    }
}

/// Adds the aggregate's id to the schemas of the admin interface, under the name of the contract's key, such as
/// `trip_id`.
fn name_aggregates<C: Contract>(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let id = || ObjectBuilder::new().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    let known = id().schema_type(SchemaType::Type(Type::String));
    let known = known.description(Some("The aggregate.")).build();
    let or_none = id().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    let or_none = or_none.description(Some("The aggregate; null where the record names none."));
    let or_none = or_none.build();
    for (name, id) in [
        ("EffectView", &known),
        ("PostponedInput", &known),
        ("DeadLetterQueueSummary", &or_none),
        ("DeadLetter", &or_none),
    ] {
        if let Some(RefOr::T(Schema::Object(shown))) = schemas.get_mut(name) {
            shown.properties.insert(C::KEY_FIELD.to_owned(), id.clone().into());
        }
    }
}

/// Renames the path parameter `aggregate` to the contract's noun, such as `trip`.
fn name_parameters<C: Contract>(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "aggregate"
        {
            noun::<C>().clone_into(&mut parameter.name);
        }
    }
}

/// The title of the description: `Travel: booking` for the service `booking` of the saga `travel`.
fn title<C: Contract>(service: &str) -> String {
    let (first, rest) = C::NAMESPACE.split_at_checked(1).unwrap_or(("", C::NAMESPACE));
    format!("{}{rest}: {service}", first.to_uppercase())
}

/// The path with the contract's noun in place of `aggregate`: `{trip}`.
fn named<C: Contract>(path: &str) -> String {
    path.replace("{aggregate}", &format!("{{{}}}", noun::<C>()))
}

fn complete_operation(operation: &mut Operation, changes: bool) {
    let mut implied: Vec<_> = ANY.into();
    if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        implied.extend(WITH_PARAMETERS);
    }
    if operation.request_body.is_some() {
        implied.extend(WITH_BODY);
    }
    if changes {
        implied.extend(CHANGING);
    }
    let responses = &mut operation.responses.responses;
    for (status, text) in implied {
        let response = || ResponseBuilder::new().description(text).build().into();
        responses.entry(status.into()).or_insert_with(response);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            complete_response(status, response);
        }
    }
}

fn complete_response(status: &str, response: &mut Response) {
    if status >= "400" {
        let problem = Ref::from_schema_name(Problem::name());
        response.content.insert(PROBLEM.into(), Content::new(Some(problem)).into());
    }
    if matches!(status, "429" | "503") {
        let header = HeaderBuilder::new().schema(Some(u32::schema()));
        let header = header.description(Some("The number of seconds to wait before another try."));
        response.headers.insert("retry-after".into(), header.build().into());
    }
    let header = HeaderBuilder::new().schema(Some(String::schema()));
    let header = header.description(Some("The request's id, or a new one.")).build();
    response.headers.insert("x-request-id".into(), header.into());
}
