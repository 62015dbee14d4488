//! `GET /points/{email}`: a customer's points.

use axum::{
    Json,
    extract::{Path, State},
};
use quintet::{App, http::Problem};

use crate::{Account, LoyaltyService, customer};

/// Shows a customer's points.
#[utoipa::path(get, path = "/points/{email}", operation_id = "get_points", tag = "points",
    params(("email" = String, Path, description = "The customer's e-mail address.")),
    responses(
        (status = 200, description = "The points so far.", body = Account),
        (status = 404, description = "The customer has no points yet."),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<LoyaltyService>>,
    Path(email): Path<String>,
) -> Result<Json<Account>, Problem> {
    let account: Option<Account> = app.engine.db().find(customer(&email)).await?;
    Ok(Json(account.ok_or_else(|| Problem::not_found("account of this customer"))?))
}
