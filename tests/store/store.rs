//! Makes an empty store with either engine, and rows for it.

use tempfile::TempDir;
use trunkline::domain::commit::{CallRef, CallSettings, Checks, Claim, Withdrawal};
use trunkline::domain::ids::{AttemptId, CallId};
use trunkline::domain::originate::{OriginateSpec, Target};
use trunkline::domain::status::CallStatus;
use trunkline::domain::time::Millis;
use trunkline::store::batches::{self, BatchResult, NewBatch};
use trunkline::store::calls::{Call, NewCall};
use trunkline::store::clients::{self, NewClient};
use trunkline::store::journal::LaneRef;
use trunkline::store::new_queues::NewQueue;
use trunkline::store::servers::{self, Server};
use trunkline::store::{self, Db, Tx, leases, migrate};

use crate::support::postgres::Postgres;

pub const NOW: Millis = Millis(1_700_000_000_000);
pub const SERVER: &str = "server1";

/// A store with the resources that it needs.
pub struct Store {
    pub db: Db,
    pub client: i64,
    _files: Option<TempDir>,
    _postgres: Option<Postgres>,
}

impl Store {
    pub async fn sqlite() -> Option<Self> {
        let files = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite://{}", files.path().join("test.db").display());
        Some(Self::open(&url, Some(files), None).await)
    }

    pub async fn postgres() -> Option<Self> {
        let mut postgres = Postgres::start()?;
        let url = postgres.create_database();
        Some(Self::open(&url, None, Some(postgres)).await)
    }

    async fn open(url: &str, files: Option<TempDir>, postgres: Option<Postgres>) -> Self {
        let db = store::open(url).expect("a store");
        assert!(migrate::run(&db).await.expect("migrations") > 0);
        assert!(migrate::is_ready(&db).await.expect("an answer"));
        let mut tx = db.begin().await.expect("a transaction");
        servers::insert(&mut tx, &server()).await.expect("a server");
        let client = clients::create(&mut tx, &client("acme"), NOW).await.expect("a client");
        tx.commit().await.expect("a commit");
        Self { db, client, _files: files, _postgres: postgres }
    }

    /// Adds a second client.
    pub async fn another_client(&self) -> i64 {
        let mut tx = self.tx().await;
        let id = clients::create(&mut tx, &client("other"), NOW).await.expect("a client");
        tx.commit().await.expect("a commit");
        id
    }

    pub async fn tx(&self) -> Tx {
        self.db.begin().await.expect("a transaction")
    }

    /// Stores a batch of the first client as the API does.
    pub async fn insert(&self, batch_id: i64, queue_id: Option<i64>, calls: usize) -> BatchResult {
        self.insert_batch(&self.batch(batch_id, queue_id, calls)).await
    }

    pub async fn insert_batch(&self, new: &NewBatch) -> BatchResult {
        loop {
            let mut conn = self.db.read().await.expect("a connection");
            if let Some(earlier) = batches::replay(&mut conn, new).await.expect("an answer") {
                return earlier;
            }
            let mut tx = self.tx().await;
            if let Some(result) = batches::insert(&mut tx, new, NOW).await.expect("an answer") {
                if matches!(result, BatchResult::Stored { .. }) {
                    tx.commit().await.expect("a commit");
                }
                return result;
            }
        }
    }

    pub fn batch(&self, batch_id: i64, queue_id: Option<i64>, calls: usize) -> NewBatch {
        let content_sha256 = [u8::try_from(calls % 256).expect("a byte"); 32];
        let calls = (0..calls).map(|_| new_call()).collect();
        NewBatch {
            client_id: self.client,
            batch_id,
            queue_id,
            queue: NewQueue::default(),
            content_sha256,
            calls,
            warnings: vec!["w".into()],
        }
    }

    /// Makes a queue with this many calls.
    pub async fn queue(&self, batch_id: i64, calls: usize) -> i64 {
        match self.insert(batch_id, None, calls).await {
            BatchResult::Stored { queue_id } => queue_id,
            other => panic!("{other:?}"),
        }
    }

    /// Takes the lane of the server for a node.
    pub async fn lane(&self, node: &str) -> Option<LaneRef> {
        let mut tx = self.tx().await;
        let ttl = std::time::Duration::from_secs(15);
        let epoch = leases::acquire(&mut tx, SERVER, node, ttl, NOW).await.expect("an answer");
        tx.commit().await.expect("a commit");
        epoch.map(|epoch| LaneRef { server: SERVER.into(), epoch })
    }
}

pub fn server() -> Server {
    Server {
        code: SERVER.into(),
        host: "127.0.0.1".into(),
        port: 5038,
        username: "dialer".into(),
        secret: vec![0, 255, 10],
        tls: false,
        dial_template: "PJSIP/{number}".into(),
        max_channels: 10,
        calls_per_second: 2.5,
        recording_dirs: r#"["/recordings"]"#.into(),
        created_at: NOW.0,
        updated_at: NOW.0,
        trunks: "[]".into(),
        numbering: "{}".into(),
        max_call_seconds: None,
    }
}

fn client(name: &str) -> NewClient {
    let (limits, policy) = ("{}".to_owned(), "{}".to_owned());
    NewClient { name: name.into(), account_code: name.into(), limits, policy, servers: vec![SERVER.into()] }
}

pub fn new_call() -> NewCall {
    let target = Target::Application { name: "Dial".into(), data: "PJSIP/0987654321@endpoint2,30".into() };
    NewCall {
        id: CallId::new(),
        server_code: SERVER.into(),
        status: CallStatus::Queued,
        spec: OriginateSpec {
            // Characters with a meaning in JSON or SQL must be read as they were written.
            caller_id: Some(r#""Ünïted \ Company's" <1001>"#.into()),
            ..OriginateSpec::new("PJSIP/1234567890@endpoint1".into(), target)
        },
        max_retries: 1,
        contact_number: Some(9_007_199_254_740_993),
        reaches: Vec::new(),
        project: Some("campaign_2024".into()),
        action_id: None,
        did: Some("+1234567890".into()),
        deadline: None,
        deadline_is_default: false,
        not_before: None,
    }
}

/// Withdraws a claim.
pub fn withdrawal(claim: Claim) -> Withdrawal {
    Withdrawal { claim, why: "it never left", due: None }
}

pub fn claim(call: &Call) -> Claim {
    let attempt = AttemptId::new();
    Claim {
        call: CallRef { id: call.id.into(), client_id: call.client_id, queue_id: call.queue_id },
        from: call.status().expect("a status"),
        attempt,
        number: call.attempts + 1,
        channel_id: format!("tl-{attempt}"),
        at: NOW,
        settings: CallSettings { due_at: call.due_at, deadline: call.deadline, max_retries: call.max_retries },
        checks: Checks::default(),
        details: None,
    }
}
