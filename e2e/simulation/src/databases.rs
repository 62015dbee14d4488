//! The services' databases, in memory and used for one run after the other.

use anyhow::Result;
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use service::Service;
use shipping::ShippingService;
use store::Db;

/// One for each service, migrated.
pub struct Databases([Database; 5]);

struct Database {
    db: Db,
    /// Empties its tables.
    clear: String,
}

impl Databases {
    /// Creates them.
    ///
    /// # Errors
    /// If that fails.
    pub async fn new() -> Result<Self> {
        Ok(Self([
            Database::of::<OrderService>().await?,
            Database::of::<InventoryService>().await?,
            Database::of::<PaymentService>().await?,
            Database::of::<ShippingService>().await?,
            Database::of::<NotificationService>().await?,
        ]))
    }

    pub(crate) fn all(&self) -> [Db; 5] {
        self.0.each_ref().map(|database| database.db.clone())
    }

    /// Forgets all rows.
    pub(crate) async fn clear(&self) -> Result<()> {
        for Database { db, clear } in &self.0 {
            let mut tx = db.begin().await?;
            tx.execute(clear, Vec::new()).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

impl Database {
    async fn of<S: Service>() -> Result<Self> {
        let db = Db::connect("sqlite::memory:", 1).await?;
        db.migrate(engine::migrations().and(S::migrations())).await?;
        let sql = "select name from sqlite_schema where type = 'table' \
                   and name not like 'sqlite_%' and name <> '_sqlx_migrations'";
        let mut clear = Vec::new();
        for row in db.fetch(sql, Vec::new()).await? {
            clear.push(format!("delete from {}", row.get::<String>(0)?));
        }
        Ok(Self { db, clear: clear.join("; ") })
    }
}
