/** Conditions of any resource, as a section of its view. */
import { type Condition, Condition_State, Condition_StateSchema } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { enumName } from "../values/enum.ts";
import type { Column } from "./table.ts";
import { age } from "./time.ts";

export function conditionColumns(nowMs: number): readonly Column<Condition>[] {
  return [
    { title: "CONDITION", text: ({ type }) => type },
    {
      title: "STATE",
      text: ({ state }) => enumName(Condition_StateSchema, state).toLowerCase(),
      tone: ({ state }) => (state === Condition_State.TRUE ? "good" : "bad"),
    },
    { title: "SINCE", text: ({ since }) => age(since, nowMs) },
    { title: "REASON", text: ({ reason }) => reason },
    { title: "MESSAGE", text: ({ message }) => message },
  ];
}
