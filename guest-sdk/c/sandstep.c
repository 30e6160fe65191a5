#include "sandstep.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

static void write_log(enum level level, const char *text, size_t length);

static const char *failure_error, *failure_cause;

static char *format(const char *text, va_list values) {
    va_list again;
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, text, again);
    va_end(again);
    char *written = length < 0 ? NULL : malloc((size_t)length + 1);
    if (!written) abort();
    vsnprintf(written, (size_t)length + 1, text, values);
    return written;
}

int sandstep_fail(const char *error, const char *cause, ...) {
    va_list values;
    va_start(values, cause);
    failure_cause = format(cause, values);
    va_end(values);
    failure_error = error;
    return SANDSTEP_FAILED;
}

static const json *need_kind(const json *object, const char *key, enum json_kind kind) {
    static const char *const wanted[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
    const json *found = json_get(object, key);
    if (found && found->kind == kind) return found;
    sandstep_fail("InvalidInput", "`%s`: expected %s, got %s", key, wanted[kind], json_kind_name(found));
    return NULL;
}

bool need_string(const json *object, const char *key, const char **into) {
    const json *found = need_kind(object, key, JSON_STRING);
    if (found) *into = found->text;
    return found;
}

bool need_number(const json *object, const char *key, double *into) {
    const json *found = need_kind(object, key, JSON_NUMBER);
    if (found) *into = found->number;
    return found;
}

bool need_integer(const json *object, const char *key, long long *into) {
    const json *found = need_kind(object, key, JSON_NUMBER);
    if (!found) return false;
    // 2^63 and up don't fit, and past 2^53 a double has only some of the integers.
    if (found->number != floor(found->number) || fabs(found->number) >= 0x1p63) {
        sandstep_fail("InvalidInput", "`%s`: expected an integer, got %s", key, found->text);
        return false;
    }
    bool is_plain = !strpbrk(found->text, ".eE");
    *into = is_plain ? strtoll(found->text, NULL, 10) : (long long)found->number;
    return true;
}

bool need_boolean(const json *object, const char *key, bool *into) {
    const json *found = need_kind(object, key, JSON_BOOLEAN);
    if (found) *into = found->boolean;
    return found;
}

bool need_array(const json *object, const char *key, const json **into) {
    const json *found = need_kind(object, key, JSON_ARRAY);
    if (found) *into = found;
    return found;
}

bool need_object(const json *object, const char *key, const json **into) {
    const json *found = need_kind(object, key, JSON_OBJECT);
    if (found) *into = found;
    return found;
}

static void log_line(enum level level, const char *message, va_list values) {
    char *line = format(message, values);
    write_log(level, line, strlen(line));
    free(line);
}

#define LOG_FUNCTION(name, level)                \
    void name(const char *message, ...) {        \
        va_list values;                          \
        va_start(values, message);               \
        log_line(level, message, values);        \
        va_end(values);                          \
    }

LOG_FUNCTION(sandstep_debug, LEVEL_DEBUG)
LOG_FUNCTION(sandstep_info, LEVEL_INFO)
LOG_FUNCTION(sandstep_warn, LEVEL_WARN)
LOG_FUNCTION(sandstep_error, LEVEL_ERROR)

_Noreturn void sandstep_panic(const char *message, ...) {
    va_list values;
    va_start(values, message);
    char *text = format(message, values);
    va_end(values);
    // The host takes the last line of this form as the cause of the error `Panic`.
    sandstep_error("panic: %s", text);
    abort();
}

const char *sandstep_failure_error(void) { return failure_error; }

const char *sandstep_failure_cause(void) { return failure_cause; }

int sandstep_call(const char *input, size_t length, json_writer *output) {
    const char *problem;
    failure_error = failure_cause = NULL;
    memset(output, 0, sizeof *output);
    const json *value = json_read(input, length, &problem);
    if (!value) return sandstep_fail("InvalidInput", "%s", problem);
    int ending = sandstep_task(value, output);
    if (ending == SANDSTEP_OK) {
        // A task that says nothing means nothing.
        if (!output->length) json_null(output);
        if (output->depth) return sandstep_fail("InvalidOutput", "%zu arrays or objects aren't closed", output->depth);
        failure_error = failure_cause = NULL;
        return SANDSTEP_OK;
    }
    if (!failure_error) return sandstep_fail("Error", "the task returned %d", ending);
    return SANDSTEP_FAILED;
}

#ifdef __wasm__

// The host's functions and the task's export, in the canonical ABI of task.wit.
#define HOST(function) __attribute__((import_module("sandstep:task/host@0.1.0"), import_name(function)))
#define EXPORT(function) __attribute__((export_name(function)))

struct text {
    const char *start;
    size_t length;
};

struct wire_attempt {
    struct text execution_id, state_machine_id, state_name;
    uint32_t retry_count;
    struct text idempotency_key;
    // A struct of its own, for its alignment.
    struct {
        uint8_t is_some;
        uint64_t value;
    } deadline;
};

_Static_assert(offsetof(struct wire_attempt, deadline) == 40 && sizeof(struct wire_attempt) == 56, "as in task.wit");

HOST("heartbeat") void host_heartbeat(void);
HOST("log") void host_log(int32_t level, const char *text, size_t length);
HOST("context") void host_context(struct wire_attempt *into);

// The host knows the length of what it hands over, so nothing is ever grown.
EXPORT("cabi_realloc") void *sandstep_reallocate(void *old, size_t old_size, size_t align, size_t size) {
    (void)old, (void)old_size, (void)align;
    // No alignment in task.wit is larger than what malloc gives.
    void *memory = malloc(size ? size : 1);
    if (!memory) abort();
    return memory;
}

static struct {
    uint8_t failed;
    struct text first, cause; // the output, or the error and its cause
} result;

EXPORT("sandstep:task/handler@0.1.0#handle") void *sandstep_handle(const char *input, size_t length) {
    static json_writer output;
    if (sandstep_call(input, length, &output) == SANDSTEP_OK) {
        result.first = (struct text){output.text, output.length};
    } else {
        result.failed = 1;
        result.first = (struct text){failure_error, strlen(failure_error)};
        result.cause = (struct text){failure_cause, strlen(failure_cause)};
    }
    return &result;
}

static void write_log(enum level level, const char *text, size_t length) { host_log(level, text, length); }

void sandstep_heartbeat(void) { host_heartbeat(); }

static const char *string(struct text text) {
    char *copy = malloc(text.length + 1);
    if (!copy) abort();
    memcpy(copy, text.start, text.length);
    copy[text.length] = 0;
    return copy;
}

sandstep_attempt sandstep_context(void) {
    struct wire_attempt found;
    host_context(&found);
    return (sandstep_attempt){
        .execution_id = string(found.execution_id),
        .state_machine_id = string(found.state_machine_id),
        .state_name = string(found.state_name),
        .retry_count = found.retry_count,
        .idempotency_key = string(found.idempotency_key),
        .deadline = found.deadline.is_some ? found.deadline.value : 0,
    };
}

#else

static void write_log(enum level level, const char *text, size_t length) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    fprintf(stderr, "%s: %.*s\n", names[level], (int)length, text);
}

void sandstep_heartbeat(void) {}

sandstep_attempt sandstep_context(void) {
    return (sandstep_attempt){
        .execution_id = "arn:aws:states:us-east-1:000000000000:execution:native:native",
        .state_machine_id = "arn:aws:states:us-east-1:000000000000:stateMachine:native",
        .state_name = "Native",
        .idempotency_key = "native",
    };
}

#ifndef SANDSTEP_NO_MAIN
int main(void) {
    char *text = NULL;
    size_t length = 0, room = 0;
    do {
        if (room - length < 4096) {
            room = room * 2 + 4096;
            text = realloc(text, room);
            if (!text) abort();
        }
        length += fread(text + length, 1, room - length, stdin);
    } while (!feof(stdin) && !ferror(stdin));
    json_writer output;
    if (sandstep_call(text, length, &output) != SANDSTEP_OK) {
        fprintf(stderr, "%s: %s\n", failure_error, failure_cause);
        return 1;
    }
    printf("%.*s\n", (int)output.length, output.text);
    return 0;
}
#endif

#endif
