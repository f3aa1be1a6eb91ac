//! Commands of many writes: how they are cut, how they are confirmed, and what their answers say.
//!
//! Knows no collection, and not what is written.

use futures::{StreamExt, TryStreamExt};
use mongodb::Collection;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, serialize_to_raw_document_buf};
use serde::Serialize;

use crate::server::store::{Error, codes};

/// MongoDB takes the documents of one `insert` in one transaction, and whoever writes meanwhile, an acknowledgement say,
/// waits until that is over: with 500 a command the median went from 1.6 to 7 ms, with 50 to 2.9 (benches/README.md).
const INSERTS_AT_ONCE: usize = 50;
/// In bytes. MongoDB takes 16 MiB, and the driver adds a little.
const LARGEST_COMMAND: usize = 15 * 1024 * 1024;
/// How many such commands are on their way at once.
const INSERT_COMMANDS: usize = 2;
/// How long a majority may take to confirm a command of many writes.
const WRITE_WITHIN_MS: i32 = 10_000;

/// How a command of many writes ended.
pub(super) struct Answer {
    /// Documents that some statement matched or added.
    pub(super) matched: u64,
    pub(super) refused: Vec<Refusal>,
}

impl Answer {
    /// Adds the answer about those statements that begin with this place.
    fn add(&mut self, first: usize, answer: Self) {
        self.matched += answer.matched;
        let moved = |refusal: Refusal| Refusal { place: first + refusal.place, ..refusal };
        self.refused.extend(answer.refused.into_iter().map(moved));
    }

    /// Nothing was refused, or it is an error.
    pub(super) fn whole(self) -> Result<(), Error> {
        self.refused.first().map_or(Ok(()), |refusal| Err(Error::Document(refusal.code)))
    }
}

/// One statement that was not carried out.
pub(super) struct Refusal {
    /// Its place among the statements.
    pub(super) place: usize,
    pub(super) code: i32,
    /// The first field of the unique index that it would have broken.
    pub(super) key: Option<String>,
}

/// Many writes (`insert` or `update`), in no order, journaled on a majority on return: what that costs is paid once,
/// however many there are (design 2.4).
pub(super) async fn write_each<T: Send + Sync, S: Serialize>(
    collection: &Collection<T>,
    verb: &'static str,
    statements: Vec<S>,
) -> Result<Answer, Error> {
    if verb != "insert" || statements.len() <= INSERTS_AT_ONCE {
        return write_command(collection, verb, statements).await;
    }
    let mut left = statements.into_iter();
    let parts = std::iter::from_fn(|| {
        let part: Vec<S> = left.by_ref().take(INSERTS_AT_ONCE).collect();
        (!part.is_empty()).then_some(part)
    });
    let parts: Vec<Vec<S>> = parts.collect();
    let commands = parts.into_iter().map(|part| write_command(collection, verb, part));
    let answers: Vec<Answer> = futures::stream::iter(commands).buffered(INSERT_COMMANDS).try_collect().await?;
    let mut whole = Answer { matched: 0, refused: Vec::new() };
    for (number, answer) in answers.into_iter().enumerate() {
        whole.add(number * INSERTS_AT_ONCE, answer);
    }
    Ok(whole)
}

/// The same in one command, or in several where one would be larger than MongoDB takes.
async fn write_command<T: Send + Sync, S: Serialize>(
    collection: &Collection<T>,
    verb: &'static str,
    statements: Vec<S>,
) -> Result<Answer, Error> {
    let mut whole = Answer { matched: 0, refused: Vec::new() };
    let mut parts = vec![(0, statements.len())];
    while let Some((first, end)) = parts.pop() {
        let command = command_of(collection, verb, &statements[first..end])?;
        if command.as_bytes().len() > LARGEST_COMMAND && end - first > 1 {
            let middle = first.midpoint(end);
            parts.extend([(middle, end), (first, middle)]);
            continue;
        }
        whole.add(first, run_command(collection, command).await?);
    }
    Ok(whole)
}

fn command_of<T: Send + Sync, S: Serialize>(
    collection: &Collection<T>,
    verb: &'static str,
    statements: &[S],
) -> Result<RawDocumentBuf, Error> {
    let namespace = collection.namespace();
    let command = match verb {
        "insert" => serialize_to_raw_document_buf(&Insert::of(&namespace.coll, statements)),
        _ => serialize_to_raw_document_buf(&Update::of(&namespace.coll, statements)),
    };
    command.map_err(|error| Error::from(mongodb::error::Error::custom(error)))
}

async fn run_command<T: Send + Sync>(collection: &Collection<T>, command: RawDocumentBuf) -> Result<Answer, Error> {
    let database = collection.client().database(&collection.namespace().db);
    // Every write here is safe to repeat: what the first attempt did is met by its key, its guard or its mark. Only numbers
    // for charts may be added twice.
    let answer = match database.run_raw_command(command.clone()).await.map_err(Error::from) {
        Err(Error::Unavailable(_)) => database.run_raw_command(command).await?,
        answer => answer?,
    };
    read_answer(&answer)
}

/// What it cannot take now, it takes when the whole command is repeated: only what it will not have is a refusal.
pub(super) fn read_answer(answer: &Document) -> Result<Answer, Error> {
    if answer.contains_key("writeConcernError") {
        return Err(Error::TimedOut);
    }
    let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    let refused: Vec<Refusal> = errors.iter().filter_map(Bson::as_document).filter_map(refusal).collect();
    match refused.iter().find(|refusal| codes::is_passing(refusal.code)) {
        Some(refusal) => Err(Error::NotNow(refusal.code)),
        None => Ok(Answer { matched: answer.get_i32("n").map_or(0, |count| u64::from(count.unsigned_abs())), refused }),
    }
}

fn refusal(error: &Document) -> Option<Refusal> {
    let pattern = error.get_document("keyPattern").ok();
    Some(Refusal {
        place: usize::try_from(error.get_i32("index").ok()?).ok()?,
        code: error.get_i32("code").unwrap_or_default(),
        key: pattern.and_then(|pattern| pattern.keys().next().cloned()),
    })
}

#[derive(Serialize)]
struct Insert<'a, S> {
    #[serde(rename = "insert")]
    collection: &'a str,
    documents: &'a [S],
    ordered: bool,
    #[serde(rename = "writeConcern")]
    write_concern: Document,
}

#[derive(Serialize)]
struct Update<'a, S> {
    #[serde(rename = "update")]
    collection: &'a str,
    updates: &'a [S],
    ordered: bool,
    #[serde(rename = "writeConcern")]
    write_concern: Document,
}

impl<'a, S> Insert<'a, S> {
    fn of(collection: &'a str, documents: &'a [S]) -> Self {
        Self { collection, documents, ordered: false, write_concern: journaled() }
    }
}

impl<'a, S> Update<'a, S> {
    fn of(collection: &'a str, updates: &'a [S]) -> Self {
        Self { collection, updates, ordered: false, write_concern: journaled() }
    }
}

fn journaled() -> Document {
    doc! { "w": "majority", "j": true, "wtimeout": WRITE_WITHIN_MS }
}
