// The same three functions behind Inngest's own SDK, for `sdk.rs` to compare us with, answer by answer.
// Prints its port; ends when its standard input does.
import express from "express";
import { Inngest, NonRetriableError, RetryAfterError } from "inngest";
import { serve } from "inngest/express";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const client = new Inngest({ id: "rollcall", logger: silent, internalLogger: silent });

// What a test wants to happen is said by the person's id; here nobody is asked.
async function sync({ event }) {
  switch (event.data.id) {
    case undefined:
      throw new NonRetriableError("event: names no person");
    case "user_away":
      throw new Error("Clerk is away");
    case "user_slow":
      throw new RetryAfterError("Clerk is away", 7_000);
    default:
      return { state: "applied", decision: "created" };
  }
}

const each = { concurrency: [{ limit: 1, key: "event.data.id" }], retries: 8 };
const events = (...names) => names.map((event) => ({ event }));

const functions = [
  client.createFunction(
    {
      id: "sync-user",
      name: "Sync a user from Clerk",
      triggers: events("clerk/user.created", "clerk/user.updated", "clerk.user.created", "clerk.user.updated"),
      ...each,
    },
    sync,
  ),
  client.createFunction(
    {
      id: "delete-user",
      name: "Delete a user gone from Clerk",
      triggers: events("clerk/user.deleted", "clerk.user.deleted"),
      ...each,
    },
    sync,
  ),
  client.createFunction(
    {
      id: "reconcile-users",
      name: "Reconcile all users with Clerk",
      triggers: [{ cron: "17 * * * *" }, { event: "app/sync.reconcile.requested" }],
      singleton: { mode: "skip" },
      retries: 4,
    },
    async () => ({ seen: 0, changed: 0 }),
  ),
];

const app = express();
app.use(express.json({ limit: "4mb" }));
app.use("/api/inngest", serve({ client, functions }));
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
