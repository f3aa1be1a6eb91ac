//! MongoDB's numbers for what it refuses, which of them say only that it cannot do it now, and what of its answers may be said.

use std::fmt::{self, Display, Formatter};

use mongodb::error::{ErrorKind, WriteFailure};

/// The node is not, or no longer, the one that writes; by the codes of the drivers' specification.
const CHANGE_OF_PRIMARY: [i32; 12] = [6, 7, 89, 91, 189, 262, 9_001, 10_107, 11_600, 11_602, 13_435, 13_436];
/// Its disk, its cache or its patience is used up, somebody else's write was in the way, or an operator ended the command:
/// `LockTimeout`, `MaxTimeMSExpired`, `WriteConflict`, `ExceededMemoryLimit`, `NetworkInterfaceExceededTimeLimit`,
/// `TransactionTooLargeForCache`, `TemporarilyUnavailable`, `Interrupted`, `OutOfDiskSpace`.
const OVERLOAD: [i32; 9] = [24, 50, 112, 146, 202, 342, 365, 11_601, 14_031];
/// Said of single documents, though none can be written there: `Unauthorized`, `IllegalOperation`, `CommandNotSupportedOnView`,
/// and what a hosted MongoDB says of a quota.
const WHOLE_COLLECTION: [i32; 4] = [13, 20, 166, 8_000];
/// Of many that were refused at once so many are named.
const MOST_CODES: usize = 5;

/// What the driver met, to be said in a log: of what the server answered the code and its name, for its words repeat what was
/// sent (the value that is there already, the document that a validator refused, a whole command), which may be personal.
#[derive(Debug)]
pub struct Cause(pub mongodb::error::Error);

impl std::error::Error for Cause {}

impl Display for Cause {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match &*self.0.kind {
            ErrorKind::Command(failure) => write!(to, "code {} ({})", failure.code, failure.code_name),
            ErrorKind::Write(WriteFailure::WriteError(failure)) => write!(to, "code {}", failure.code),
            ErrorKind::Write(WriteFailure::WriteConcernError(failure)) => {
                write!(to, "code {} ({})", failure.code, failure.code_name)
            }
            ErrorKind::InsertMany(failures) => {
                let codes = failures.write_errors.iter().flatten().map(|failure| failure.code);
                write!(to, "codes {:?}", codes.take(MOST_CODES).collect::<Vec<_>>())
            }
            kind @ (ErrorKind::Authentication { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::IncompatibleServer { .. }
            | ErrorKind::InvalidTlsConfig { .. }
            | ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::SessionsNotSupported
            | ErrorKind::Shutdown) => write!(to, "{kind}"),
            ErrorKind::InvalidArgument { .. } => to.write_str("something that the driver does not take"),
            ErrorKind::Internal { .. } | ErrorKind::InvalidResponse { .. } => to.write_str("an answer without sense"),
            _ => to.write_str("a document of another shape"),
        }
    }
}

/// Whether the same may be taken later, though nobody changes it.
pub fn is_passing(code: i32) -> bool {
    CHANGE_OF_PRIMARY.contains(&code) || OVERLOAD.contains(&code)
}

/// Whether it is about the collection, whatever was to be written there.
pub fn is_of_the_collection(code: i32) -> bool {
    WHOLE_COLLECTION.contains(&code)
}

/// The same of an error. The driver marks such errors itself only where it repeats by itself, which it does not for commands.
pub fn is_passing_kind(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Command(failure) => is_passing(failure.code),
        ErrorKind::Write(WriteFailure::WriteError(failure)) => is_passing(failure.code),
        kind => is_write_concern_error(kind),
    }
}

/// The write happened but a majority did not confirm it in time.
fn is_write_concern_error(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        ErrorKind::InsertMany(failure) => failure.write_concern_error.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use crate::server::store::Error;
    use crate::server::store::commands::{Answer, read_answer};

    #[test]
    fn d2_11_a_full_disk_or_cache_is_no_refusal_of_a_document_but_a_reason_to_try_later() {
        let answer = |code: i32| read_answer(&doc! { "n": 1, "writeErrors": [{ "index": 1, "code": code }] });
        for code in [14_031, 365, 112, 11_602] {
            assert!(matches!(answer(code), Err(error) if error.is_unavailable()), "{code}");
        }
        let refused = answer(121).map(|answer| answer.refused.len());
        assert!(matches!(refused, Ok(1)), "{refused:?}");
        let whole = read_answer(&doc! { "n": 2 }).and_then(Answer::whole);
        assert!(whole.is_ok());
        assert!(matches!(answer(121).and_then(Answer::whole), Err(Error::Document(121))));
    }
}
