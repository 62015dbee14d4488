//! All pages.

use anyhow::{Context, Result};
use service::{Description, describe};

use crate::{command_line, configuration, errors, events, http, metrics};

/// A file of the folder.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

const NOTE: &str = "<!-- Written by `cargo run -p reference` from the code. Change the code, not this page. -->\n\n";

/// Every page as the code has it.
///
/// # Errors
/// If a service cannot be described, or a page's text names what does not exist.
pub(crate) async fn all() -> Result<Vec<Page>> {
    let services = services().await?;
    let asyncapi = quintet_cli::asyncapi().context("the program has no service")?;
    let page = |name, text: String| Page { name, text: format!("{NOTE}{}\n", text.trim_end()) };
    Ok(vec![
        page("README.md", include_str!("../text/README.md").to_owned()),
        page("http.md", http::page(&services)?),
        page("configuration.md", configuration::page(&services)?),
        page("command-line.md", command_line::page(quintet_cli::command_line()?)),
        page("metrics.md", metrics::page(&services)?),
        page("events.md", events::page(&asyncapi)?),
        page("errors.md", errors::page(&services)?),
        Page {
            name: "asyncapi.json",
            text: format!("{}\n", serde_json::to_string_pretty(&asyncapi)?),
        },
    ])
}

async fn services() -> Result<Vec<Description>> {
    Ok(vec![
        describe::<order::OrderService>().await?,
        describe::<inventory::InventoryService>().await?,
        describe::<payment::PaymentService>().await?,
        describe::<shipping::ShippingService>().await?,
        describe::<notification::NotificationService>().await?,
    ])
}
