//! What `/metrics` reads from the database.

use store::Value;
use uuid::Uuid;

use crate::rig::rigs;

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_need_a_person_are_counted() {
    for rig in rigs().await {
        let (order, _another) = (rig.place().await, rig.place().await);
        assert_eq!(rig.needing_attention().await, "0");
        let id: Uuid = order.parse().unwrap();
        let mut tx = rig.db.begin().await.unwrap();
        let mark = "update orders set needs_attention = true where order_id = $1";
        tx.execute(mark, vec![Value::Uuid(id)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(rig.needing_attention().await, "1");
    }
}

impl crate::rig::Rig {
    async fn needing_attention(&self) -> String {
        let text = self.get("/metrics").await.text().await.unwrap();
        let series = "quintet_orders_needing_attention{service=\"order\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.expect("the figure").to_owned()
    }
}
