//! `errors.md`, from the registries of problems and exit codes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use quintet_suite::Exit as Command;
use service::{Description, Exit, http::failures};
use strum::VariantArray;

use crate::{
    http::operations,
    markdown::{code, filled, one_line, sentence, table},
    schema::{Field, HEADS, Schema},
};

const EXIT_HEADS: [&str; 3] = ["exit code", "when", "what to do"];

pub(crate) fn page(services: &[Description]) -> Result<String> {
    let exits = Exit::VARIANTS.iter().map(|exit| exit_row(exit.code(), exit.when(), exit.advice()));
    let commands =
        Command::ALL.iter().map(|exit| exit_row(exit.code(), exit.when(), exit.advice()));
    Ok(filled(
        include_str!("../text/errors.md"),
        &[
            ("members", members(services)?),
            ("problems", problems()),
            ("routes", routes(services)),
            ("services", table(&EXIT_HEADS, exits)),
            ("commands", table(&EXIT_HEADS, commands)),
        ],
    ))
}

fn exit_row(code: u8, when: &str, advice: &str) -> Vec<String> {
    vec![code.to_string(), one_line(when), one_line(advice)]
}

fn problems() -> String {
    let rows = failures().into_iter().map(|failure| {
        let status = failure.status;
        let header = failure.header.map(|header| format!("{header} ")).unwrap_or_default();
        let retry = failure.retry_after.map(|seconds| format!("{seconds} s")).unwrap_or_default();
        vec![
            format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()),
            sentence(&failure.when),
            code(&one_line(&format!("{header}{}", failure.detail))),
            retry,
        ]
    });
    table(&["status", "when", "`detail`: what is wrong, and what to do", "`Retry-After`"], rows)
}

/// The members of a problem, from any service's OpenAPI document.
fn members(services: &[Description]) -> Result<String> {
    let service = services.first().context("there is no service")?;
    let document = &service.public;
    let schema = &document["components"]["schemas"]["Problem"];
    let fields = Schema::new(document, schema).fields();
    Ok(table(&HEADS, fields.iter().map(Field::row)))
}

/// What single routes answer beside that.
fn routes(services: &[Description]) -> String {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for service in services {
        for document in [&service.public, &service.admin] {
            for operation in operations(document) {
                for response in operation.own_failures() {
                    let routes = found.entry(response).or_default();
                    let route = code(&operation.name());
                    if !routes.contains(&route) {
                        routes.push(route);
                    }
                }
            }
        }
    }
    let rows =
        found.into_iter().map(|((status, when), routes)| vec![status, routes.join(", "), when]);
    table(&["status", "routes", "when"], rows)
}
