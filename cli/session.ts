/**
 * What a verb that talks to a server works with: the services, ready to be called, and the outputs. It lives as long as
 * the verb; whatever the verb throws leaves as a `Failure`.
 */
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { type Client, createClient } from "@connectrpc/connect";
import { AccessService } from "../shared/gen/es/meridian/v1/access_service_pb.ts";
import { CatalogService } from "../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { EventService } from "../shared/gen/es/meridian/v1/event_service_pb.ts";
import { HostService } from "../shared/gen/es/meridian/v1/host_service_pb.ts";
import { PoolService } from "../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { TemplateService } from "../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmService } from "../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { type Connection, connectionFlags, isJsonWanted, openTransport, resolveConnection } from "./connection.ts";
import { Failure } from "./failure.ts";
import { DetailView } from "./output/detail.ts";
import { type Paint, paintFor } from "./output/paint.ts";
import { type Column, renderTable } from "./output/table.ts";
import { describeFailure, isConnectionLost } from "./server-failure.ts";
import type { Terminal } from "./terminal.ts";
import { plainTextFailure } from "./tls-failure.ts";

export interface Session {
  readonly terminal: Terminal;
  readonly connection: Connection;
  readonly isJson: boolean;
  readonly vms: Client<typeof VmService>;
  readonly hosts: Client<typeof HostService>;
  readonly templates: Client<typeof TemplateService>;
  readonly catalogs: Client<typeof CatalogService>;
  readonly access: Client<typeof AccessService>;
  readonly pool: Client<typeof PoolService>;
  readonly events: Client<typeof EventService>;
  /** For a call: ends it when the person interrupts. */
  readonly call: { readonly signal: AbortSignal };
  /** For a stream without an end of its own. */
  readonly stream: { readonly signal: AbortSignal; readonly timeoutMs: 0 };
  readonly paint: Paint;
  /** Now, by this machine's clock. */
  readonly nowMs: number;
}

/** Runs a verb with a session and closes it behind the verb. */
export async function withSession(
  terminal: Terminal,
  command: CommandUnknownOpts,
  verb: (session: Session) => Promise<void>,
): Promise<void> {
  const connection = await resolveConnection(connectionFlags(command), terminal);
  const { transport, close } = openTransport(connection);
  const signal = terminal.interrupted;
  try {
    await verb({
      terminal,
      connection,
      isJson: isJsonWanted(command),
      vms: createClient(VmService, transport),
      hosts: createClient(HostService, transport),
      templates: createClient(TemplateService, transport),
      catalogs: createClient(CatalogService, transport),
      access: createClient(AccessService, transport),
      pool: createClient(PoolService, transport),
      events: createClient(EventService, transport),
      call: { signal },
      stream: { signal, timeoutMs: 0 },
      paint: paintFor(terminal, terminal.stdout),
      nowMs: terminal.clock.wallMs(),
    });
  } catch (error) {
    const failure = describeFailure(error, connection, signal);
    throw (await brokeOff(failure, connection, terminal)) ?? failure;
  } finally {
    close();
  }
}

/** A server that expects TLS just hangs up on plain text: it is asked which of the two it speaks. */
async function brokeOff(failure: Error, connection: Connection, terminal: Terminal): Promise<Failure | undefined> {
  const isLost = failure instanceof Failure && isConnectionLost(failure.options.cause);
  return isLost ? await plainTextFailure(connection, terminal.clock) : undefined;
}

/** Prints one resource: as JSON if that is wanted, else as `text` has it. */
export function printResource<Desc extends DescMessage>(
  session: Session,
  resource: { readonly schema: Desc; readonly message: MessageShape<Desc> },
  text: () => string,
): void {
  const { stdout } = session.terminal;
  stdout.write(session.isJson ? `${pretty(toJson(resource.schema, resource.message))}\n` : text());
}

/** Prints any value as JSON for programs. */
export function printJson(session: Session, value: unknown): void {
  session.terminal.stdout.write(`${pretty(value)}\n`);
}

export function printTable<Row>(session: Session, rows: readonly Row[], columns: readonly Column<Row>[]): void {
  const width = session.terminal.stdout.columns();
  session.terminal.stdout.write(renderTable(rows, columns, { width, paint: session.paint }));
}

export function detailView(session: Session): DetailView {
  return new DetailView(session.paint, session.terminal.stdout.columns());
}

function pretty(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
