import assert from "node:assert/strict";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Event_Kind, type ListEventsRequest } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { WatchEventType } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";

const time = timestampFromMs(Date.UTC(2026, 10, 26, 12, 0, 0));

const placed = {
  name: "events/7-0",
  time,
  revision: 7n,
  kind: Event_Kind.LIFECYCLE,
  action: "vm.state",
  resource: "vms/a",
  host: "hosts/mac-1",
  from: "PENDING",
  to: "PLACED",
  reason: "Placed",
};
const denied = {
  name: "events/8-0",
  time,
  revision: 8n,
  kind: Event_Kind.AUDIT,
  action: "DeleteVm",
  resource: "vms/a",
  caller: { principal: "serviceAccounts/ci", authentication: "token", address: "127.0.0.1" },
  result: "PERMISSION_DENIED",
  message: "needs the role operator",
};

describe("meridian event", () => {
  it("list shows the newest events in their order", async () => {
    const requests: ListEventsRequest[] = [];
    const script = {
      events: {
        listEvents: (request: ListEventsRequest) => {
          requests.push(request);
          return { events: [denied, placed], revision: 9n };
        },
      },
    };
    const { out } = await runAgainst(script, ["event", "list", "--limit", "2", "--filter", "resource = a"]);
    const lines = out.trimEnd().split("\n");
    assert.match(lines[1] ?? "", /^2026-11-26T12:00:00Z +vms\/a +PLACED +Placed$/);
    assert.match(
      lines[2] ?? "",
      /^2026-11-26T12:00:00Z +vms\/a +DeleteVm: PERMISSION_DENIED +serviceAccounts\/ci +needs the role operator$/,
    );
    assert.deepEqual(
      requests.map(({ pageSize, orderBy, filter }) => [pageSize, orderBy, filter]),
      [[2, "revision desc", "resource = a"]],
    );
  });

  it("list reads as many pages as its limit asks for, and no more", async () => {
    let pages = 0;
    const script = {
      events: {
        listEvents: () => {
          pages += 1;
          return { events: [placed], nextPageToken: "more", revision: 9n };
        },
      },
    };
    const { out } = await runAgainst(script, ["event", "list", "--limit", "3", "-q"]);
    assert.equal(out, "events/7-0\nevents/7-0\nevents/7-0\n");
    assert.equal(pages, 3);
  });

  it("watch prints a line an event, and nothing for a bookmark", async () => {
    const script = {
      events: {
        async *watchEvents() {
          yield { type: WatchEventType.ADDED, event: placed, revision: 7n };
          yield { type: WatchEventType.BOOKMARK, revision: 8n };
          yield { type: WatchEventType.ADDED, event: denied, revision: 8n };
        },
      },
    };
    const { out } = await runAgainst(script, ["event", "watch"]);
    assert.match(
      out,
      /^ADDED +vms\/a +PLACED +Placed\nADDED +vms\/a +DeleteVm: PERMISSION_DENIED +by serviceAccounts\/ci: needs/,
    );
    assert.equal(out.trimEnd().split("\n").length, 2);
  });

  it("export prints lines of JSON, and says where to go on", async () => {
    const requests: ListEventsRequest[] = [];
    const script = {
      events: {
        listEvents: (request: ListEventsRequest) => {
          requests.push(request);
          const isFirst = request.pageToken === "";
          return {
            events: [isFirst ? placed : denied],
            nextPageToken: isFirst ? "next" : "",
            revision: 9n,
            oldestRevision: 6n,
          };
        },
      },
    };
    const { out, err } = await runAgainst(script, ["event", "export", "--from-revision", "5", "--filter", "a OR b"]);
    const events = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly name: string });
    assert.deepEqual(
      events.map(({ name }) => name),
      ["events/7-0", "events/8-0"],
    );
    assert.equal(requests[0]?.filter, "(a OR b) AND revision > 5");
    assert.match(err, /only after revision 6: some since 5 are missing/);
    assert.match(err, /Go on later with --from-revision 9\./);
  });
});
