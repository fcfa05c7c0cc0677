//! What a server answers.

/// An answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// What is no text.
    Bytes(Vec<u8>),
    /// Several answers in one; a map is a list of keys and values in turn.
    List(Vec<Self>),
}

/// Why a command has no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No connection, or one that broke.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// No answer in time. Whether the command was carried out is not known.
    #[error("no answer in time")]
    TimedOut,
    /// The certificate of the server is not one to trust.
    #[error("the server's certificate is refused: {0}")]
    Untrusted(String),
    /// The server does not take the password.
    #[error("the server does not let the agent in: {0}")]
    Locked(String),
    /// The server reads its data.
    #[error("the server is loading its data")]
    Loading,
    /// The server cannot do it right now.
    #[error("the server cannot do it right now: {0}")]
    Hindered(String),
    /// The server refused the command.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The answer is not what the command is documented to answer.
    #[error("the answer to {command} is odd: {what}")]
    Odd {
        /// The command.
        command: &'static str,
        /// What is wrong with its answer.
        what: String,
    },
}

impl AskError {
    /// Whether the same command may succeed later without anyone doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::Loading | Self::Hindered(_) => true,
            Self::Untrusted(_) | Self::Locked(_) | Self::Refused(_) | Self::Odd { .. } => false,
        }
    }

    /// Whether the server said nothing at all.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut => true,
            Self::Untrusted(_)
            | Self::Locked(_)
            | Self::Loading
            | Self::Hindered(_)
            | Self::Refused(_)
            | Self::Odd { .. } => false,
        }
    }

    /// Whether the connection can be used further: whatever a server answers, it has answered.
    #[must_use]
    pub const fn spares_connection(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Hindered(_) | Self::Loading | Self::Odd { .. } => true,
            Self::Unreachable(_) | Self::TimedOut | Self::Untrusted(_) | Self::Locked(_) => false,
        }
    }
}

impl Reply {
    /// A text; numbers count as one.
    ///
    /// # Errors
    /// Anything else is odd.
    pub fn text(self, command: &'static str) -> Result<String, AskError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Number(number) => Ok(number.to_string()),
            Self::Nil | Self::Bytes(_) | Self::List(_) => Err(AskError::Odd { command, what: "not a text".to_owned() }),
        }
    }

    /// A key or a value, which need not be a text.
    ///
    /// # Errors
    /// Anything else is odd.
    pub fn bytes(self, command: &'static str) -> Result<Vec<u8>, AskError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            other => other.text(command).map(String::into_bytes),
        }
    }

    /// A number; a text that reads as one counts.
    ///
    /// # Errors
    /// Anything else is odd.
    pub fn number(&self, command: &'static str) -> Result<i64, AskError> {
        let read = match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Nil | Self::Bytes(_) | Self::List(_) => None,
        };
        read.ok_or_else(|| AskError::Odd { command, what: "not a number".to_owned() })
    }

    /// The items of a list.
    ///
    /// # Errors
    /// Anything else is odd.
    pub fn list(self, command: &'static str) -> Result<Vec<Self>, AskError> {
        match self {
            Self::List(items) => Ok(items),
            Self::Nil | Self::Number(_) | Self::Text(_) | Self::Bytes(_) => {
                Err(AskError::Odd { command, what: "not a list".to_owned() })
            }
        }
    }
}

/// The keys and values of a flat list, as texts; what is neither a text nor a number is left out.
pub(super) fn pairs(items: Vec<Reply>) -> impl Iterator<Item = (String, String)> {
    let mut texts = items.into_iter().map(|item| item.text("").unwrap_or_default());
    std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
}
