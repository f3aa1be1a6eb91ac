//! The stand-in against Clerk's published specifications: every answer and every webhook, its habits, its levers.
//!
//! `shapes.json` holds the facts of the specifications; `shapes.py` makes it from the files Clerk publishes.

mod backend;
mod browser;
mod clerk;
mod cursor;
mod frontend;
mod handshake;
mod inbox;
mod levers;
mod restart;
mod shapes;
mod webhooks;
