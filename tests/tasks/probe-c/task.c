// A task that does one thing the SDK promises something about. tests/e2e/languages.rs asks for each.

#include <stdlib.h>
#include <string.h>

#include "sandstep/sandstep.h"

// Volatile: memory that nobody looks at isn't asked for.
static char *volatile kept;

static void member(json_writer *output, const char *key, const char *text) {
    json_key(output, key);
    json_string(output, text);
}

static void tell_context(json_writer *output) {
    sandstep_attempt attempt = sandstep_context();
    json_object(output);
    member(output, "executionId", attempt.execution_id);
    member(output, "stateMachineId", attempt.state_machine_id);
    member(output, "stateName", attempt.state_name);
    member(output, "idempotencyKey", attempt.idempotency_key);
    json_key(output, "retryCount"), json_integer(output, attempt.retry_count);
    json_key(output, "deadline"), json_integer(output, (long long)attempt.deadline);
    json_end(output);
}

int sandstep_task(const json *input, json_writer *output) {
    const char *deed, *error, *cause, *message;
    long long number;
    if (!need_string(input, "do", &deed)) return SANDSTEP_FAILED;
    if (!strcmp(deed, "echo")) {
        json_copy(output, json_get(input, "value"));
    } else if (!strcmp(deed, "fail")) {
        if (!need_string(input, "error", &error) || !need_string(input, "cause", &cause)) return SANDSTEP_FAILED;
        return sandstep_fail(error, "%s", cause);
    } else if (!strcmp(deed, "crash")) {
        if (!need_integer(input, "number", &number)) return SANDSTEP_FAILED;
        sandstep_panic("no item %lld", number);
    } else if (!strcmp(deed, "log")) {
        if (!need_string(input, "message", &message)) return SANDSTEP_FAILED;
        sandstep_debug("%s", message);
        sandstep_info("%s", message);
        sandstep_warn("%s", message);
        sandstep_error("%s", message);
    } else if (!strcmp(deed, "beat")) {
        if (!need_integer(input, "number", &number)) return SANDSTEP_FAILED;
        for (long long beats = 0; beats < number; beats++) sandstep_heartbeat();
        json_integer(output, number);
    } else if (!strcmp(deed, "context")) {
        tell_context(output);
    } else if (!strcmp(deed, "spin")) {
        for (volatile unsigned turns = 0;; turns++);
    } else if (!strcmp(deed, "allocate")) {
        if (!need_integer(input, "number", &number)) return SANDSTEP_FAILED;
        for (long long piece = 0; piece < number; piece++) {
            kept = malloc(1 << 20);
            if (!kept) sandstep_panic("no memory for piece %lld", piece);
            memset(kept, 1, 1 << 20);
        }
        json_integer(output, number);
    } else {
        return sandstep_fail("UnknownDeed", "%s", deed);
    }
    return SANDSTEP_OK;
}
