import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { ParallelsErrorKind } from "../../../../agent/parallels/api.ts";
import { isRouteMissing, judgeAnswer, judgeMessage, readRefusal } from "../../../../agent/parallels/error-judgement.ts";

const messages: Readonly<Record<string, ParallelsErrorKind>> = {
  "error 404: no virtual machine found with 1234": "vm-not-found",
  "error 404: Virtual machine not found": "vm-not-found",
  "error 404: Virtual machine not found in cache even after multiple attempts": "vm-not-found",
  "VM with id 1234 was not found": "vm-not-found",
  "Failed to get VM config: The virtual machine could not be found. The virtual machine is not registered.":
    "vm-not-found",
  "error: VM is not running": "state-not-allowed",
  "error: VM is not stopped": "state-not-allowed",
  "error: VM is not paused or suspended": "state-not-allowed",
  "Failed to clone the VM: The virtual machine must be stopped before this operation.": "state-not-allowed",
  "insufficient macOS VM capacity: active 2, pending starts 0, maximum 2": "macos-limit",
  "Failed to start the VM: The maximum supported number of active virtual machines has been reached.": "macos-limit",
  "Failed to start the VM: you cannot run more than 2 macOS virtual machines at a time": "macos-limit",
  "Error Domain=VZErrorDomain Code=6": "macos-limit",
  "error 400: Error pulling manifest: write /Users/ci/disk0.img: no space left on device": "disk-full",
  "Failed to clone: There is not enough disk space on the volume": "disk-full",
  "VM with name runner-1 already exists": "name-taken",
  "Machine runner-1 with ID 1234 already exists and is running": "name-taken",
  "error 400: Error pulling manifest: manifest MACOS-15-CI not found in the catalog": "catalog",
  "error 400: Error pulling manifest: manifest MACOS-15-CI is revoked": "catalog",
  "exit status 255": "failed",
  "": "failed",
};

describe("a refusal", () => {
  for (const [message, kind] of Object.entries(messages)) {
    it(`means ${kind}: "${message}"`, () => {
      assert.equal(judgeMessage(message), kind);
    });
  }

  it("is judged by its message, not by its status", () => {
    const request = { method: "PUT", path: "/machines/1/start" } as const;
    const judge = (status: number, message: string): ParallelsErrorKind =>
      judgeAnswer({ status, text: JSON.stringify({ message, code: status }) }, request).kind;
    assert.equal(judge(404, "Failed to start the VM: exit status 1"), "failed");
    assert.equal(judge(400, "error: VM is not running"), "state-not-allowed");
    assert.equal(judge(400, "error 404: Virtual machine not found"), "vm-not-found");
    assert.equal(judge(500, "error 404: Virtual machine not found"), "vm-not-found");
    assert.equal(judge(401, "Virtual machine not found"), "unauthorised");
  });

  it("of a route that does not exist is never taken for an unknown VM", () => {
    const answer = { status: 404, text: '{"message":"resource /api/v1/machines/vm not found","code":404}' };
    assert.equal(isRouteMissing(answer), true);
    assert.equal(judgeAnswer(answer, { method: "DELETE", path: "/machines/vm" }).kind, "failed");
    assert.equal(isRouteMissing({ ...answer, status: 400 }), false);
    assert.equal(
      isRouteMissing({ status: 404, text: '{"message":"Failed to start the VM: resource not found"}' }),
      false,
    );
  });

  it("is read in every shape that the service has for one", () => {
    const diagnostics = {
      message: "summary",
      code: 400,
      diagnostics: { errors: [{ message: "first" }, { message: "second" }] },
    };
    assert.equal(readRefusal(JSON.stringify(diagnostics)), "summary; first; second");
    assert.equal(
      readRefusal('{"error":"unauthorized_client","error_description":"missing [CREATE_VM]"}'),
      "missing [CREATE_VM]",
    );
    assert.equal(readRefusal('{"error":"unauthorized_client"}'), "unauthorized_client");
    assert.equal(readRefusal("404 page not found\n"), "404 page not found");
    for (const odd of [
      "null",
      "[]",
      "7",
      "<html></html>",
      '{"message":null}',
      '{"diagnostics":{"errors":[null,3]}}',
      "",
    ]) {
      assert.equal(readRefusal(odd), "", odd);
    }
  });
});
