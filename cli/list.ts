/** Lists: all pages up to a limit, as a table, as JSON or as bare names. */
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { Option } from "@commander-js/extra-typings";
import type { Column } from "./output/table.ts";
import { printJson, printTable, type Session } from "./session.ts";
import { wholeNumber } from "./values/number.ts";

/** What fits into memory and is still read by nobody; whoever wants more says so. */
const limitDefault = 1000;
const limitMax = 1_000_000;
const pageMax = 1000;

export const filterOption = new Option(
  "--filter <expression>",
  "only those for which it holds, such as 'status.state = RUNNING'",
);
export const orderByOption = new Option("--order-by <fields>", "such as 'create_time desc' (default: name)");
export const limitOption = new Option("--limit <count>", "how many at most")
  .argParser(wholeNumber(1, limitMax))
  .default(limitDefault);
export const wideOption = new Option("-o, --output <format>", "wide: more columns").choices(["wide"] as const);
export const quietOption = new Option("-q, --quiet", "only names");

export interface ListOptions {
  readonly filter?: string | undefined;
  readonly orderBy?: string | undefined;
  readonly limit: number;
  readonly output?: "wide" | undefined;
  readonly quiet?: true | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken: string;
}

export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

export interface Listing<Desc extends DescMessage> {
  /** The word for them in JSON, such as "vms". */
  readonly plural: string;
  readonly schema: Desc;
  readonly columns: readonly Column<MessageShape<Desc>>[];
  readonly fetchPage: (request: PageRequest) => Promise<Page<MessageShape<Desc>>>;
  readonly nameOf: (item: MessageShape<Desc>) => string;
  /** What to say to a person when there are none. */
  readonly empty: string;
}

export async function printList<Desc extends DescMessage>(
  session: Session,
  options: ListOptions,
  listing: Listing<Desc>,
): Promise<void> {
  const { items, hasMore } = await fetchAll(options, listing.fetchPage);
  const { stdout, stderr } = session.terminal;
  if (session.isJson) printJson(session, { [listing.plural]: items.map((item) => toJson(listing.schema, item)) });
  else if (options.quiet === true) stdout.write(items.map((item) => `${listing.nameOf(item)}\n`).join(""));
  else if (items.length === 0) stderr.write(`${listing.empty}\n`);
  else printTable(session, items, listing.columns);
  if (hasMore) stderr.write(`There are more than ${options.limit}: --limit shows more, --filter other ones.\n`);
}

async function fetchAll<Item>(
  { filter = "", orderBy = "", limit }: ListOptions,
  fetchPage: (request: PageRequest) => Promise<Page<Item>>,
): Promise<{ readonly items: readonly Item[]; readonly hasMore: boolean }> {
  const items: Item[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(limit - items.length, pageMax);
    const page = await fetchPage({ pageSize, pageToken, filter, orderBy });
    items.push(...page.items.slice(0, pageSize));
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < limit);
  return { items, hasMore: pageToken !== "" };
}
