// The tests of this SDK: `make test`.

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandstep.h"

static int (*task)(const json *, json_writer *);

int sandstep_task(const json *input, json_writer *output) { return task(input, output); }

static json_writer output;

// Reads from memory of exactly that size, so that a sanitizer sees a step too far.
static int call(const char *text) {
    size_t length = strlen(text);
    char *input = malloc(length ? length : 1);
    assert(input);
    memcpy(input, text, length);
    int ending = sandstep_call(input, length, &output);
    free(input);
    return ending;
}

static void written(const char *wanted) {
    if (output.length == strlen(wanted) && !memcmp(output.text, wanted, output.length)) return;
    fprintf(stderr, "wanted %s\ngot    %.*s\n", wanted, (int)output.length, output.text);
    abort();
}

static void failed(const char *error, const char *cause) {
    if (!strcmp(sandstep_failure_error(), error) && !strcmp(sandstep_failure_cause(), cause)) return;
    fprintf(stderr, "wanted %s: %s\ngot    %s: %s\n", error, cause, sandstep_failure_error(), sandstep_failure_cause());
    abort();
}

static int echo(const json *input, json_writer *out) {
    json_copy(out, input);
    return SANDSTEP_OK;
}

static void what_was_read_is_written_again(void) {
    task = echo;
    assert(call(" {\"a\": [1, 2.50, -0, 1e5, true, false, null, {}, []],\t\"b\": {\"c\": \"\"}}\r\n") == SANDSTEP_OK);
    written("{\"a\":[1,2.50,-0,1e5,true,false,null,{},[]],\"b\":{\"c\":\"\"}}");
    assert(call("\"x\\u00e9\\ud83d\\ude00\\n\\\\\\\"\\/\\u0001\"") == SANDSTEP_OK);
    written("\"x\xc3\xa9\xf0\x9f\x98\x80\\n\\\\\\\"/\\u0001\"");
}

static void what_is_no_json_is_refused(void) {
    static const char *const cases[][2] = {
        {"", "the text ends too early"},
        {"[", "the text ends too early"},
        {"[1", "an array or object doesn't end"},
        {"[1 2]", "an array or object doesn't end"},
        {"[1,]", "expected a value"},
        {"{\"a\" 1}", "expected a colon behind a key"},
        {"{a:1}", "expected a key in quotes"},
        {"01", "more text behind the value"},
        {"-", "expected a value"},
        {"1.", "a number ends in a point"},
        {"1e+", "a number ends in its exponent's sign"},
        {"tru", "expected a value"},
        {"nul\"", "expected a value"},
        {"\"a", "a string doesn't end"},
        {"\"\\", "a string doesn't end"},
        {"\"\\u12\"", "\\u needs four hexadecimal digits"},
        {"\"\\ud800\"", "half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", "half of a surrogate pair"},
        {"\"\\udc00\"", "half of a surrogate pair"},
        {"\"\\x\"", "an unknown escape in a string"},
        {"\"\n\"", "a control character in a string"},
    };
    task = echo;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert(call(cases[i][0]) == SANDSTEP_FAILED);
        failed("InvalidInput", cases[i][1]);
    }
    char deep[2 * JSON_DEPTH + 3] = "";
    memset(deep, '[', JSON_DEPTH), memset(deep + JSON_DEPTH, ']', JSON_DEPTH);
    assert(call(deep) == SANDSTEP_OK);
    memset(deep, '[', JSON_DEPTH + 1), memset(deep + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
    assert(call(deep) == SANDSTEP_FAILED);
    failed("InvalidInput", "arrays and objects are nested too deeply");
}

static int numbers(const json *input, json_writer *out) {
    (void)input;
    json_array(out);
    json_number(out, 0.1), json_number(out, 1e21), json_number(out, 3), json_number(out, 1 / 3.0);
    json_number(out, INFINITY), json_number(out, NAN), json_integer(out, -9007199254740993LL);
    json_end(out);
    return SANDSTEP_OK;
}

static void numbers_are_short_and_exact(void) {
    task = numbers;
    assert(call("null") == SANDSTEP_OK);
    written("[0.1,1e+21,3,0.3333333333333333,null,null,-9007199254740993]");
}

static int charge(const json *input, json_writer *out) {
    const json *order;
    const char *id;
    long long amount;
    bool express;
    if (!need_object(input, "order", &order) || !need_string(order, "id", &id) ||
        !need_integer(order, "amount", &amount) || !need_boolean(order, "express", &express))
        return SANDSTEP_FAILED;
    if (amount > 100) return sandstep_fail("CardDeclined", "%s: %lld", id, amount);
    if (amount == 13) return 7;
    if (amount == 14) json_array(out);
    if (amount < 0) return SANDSTEP_OK;
    json_integer(out, amount);
    return SANDSTEP_OK;
}

static void members_are_asked_for_by_kind(void) {
    task = charge;
    assert(call("{\"order\":{\"id\":\"A\",\"amount\":1e2,\"express\":true}}") == SANDSTEP_OK);
    written("100");
    assert(call("{\"order\":{\"id\":\"A\",\"amount\":5,\"amount\":6,\"express\":true}}") == SANDSTEP_OK);
    written("6");
    static const char *const cases[][3] = {
        {"[]", "InvalidInput", "`order`: expected an object, got nothing"},
        {"{\"order\":{\"id\":1}}", "InvalidInput", "`id`: expected a string, got number"},
        {"{\"order\":{\"id\":\"A\",\"amount\":1.5}}", "InvalidInput", "`amount`: expected an integer, got 1.5"},
        {"{\"order\":{\"id\":\"A\",\"amount\":1e99}}", "InvalidInput", "`amount`: expected an integer, got 1e99"},
        {"{\"order\":{\"id\":\"A\",\"amount\":1}}", "InvalidInput", "`express`: expected a boolean, got nothing"},
        {"{\"order\":{\"id\":\"A\",\"amount\":101,\"express\":false}}", "CardDeclined", "A: 101"},
        {"{\"order\":{\"id\":\"A\",\"amount\":13,\"express\":false}}", "Error", "the task returned 7"},
        {"{\"order\":{\"id\":\"A\",\"amount\":14,\"express\":false}}", "InvalidOutput", "1 arrays or objects aren't closed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert(call(cases[i][0]) == SANDSTEP_FAILED);
        failed(cases[i][1], cases[i][2]);
    }
}

static void a_task_that_writes_nothing_answers_null(void) {
    task = charge;
    assert(call("{\"order\":{\"id\":\"A\",\"amount\":-1,\"express\":true}}") == SANDSTEP_OK);
    written("null");
}

int main(void) {
    what_was_read_is_written_again();
    what_is_no_json_is_refused();
    numbers_are_short_and_exact();
    members_are_asked_for_by_kind();
    a_task_that_writes_nothing_answers_null();
    puts("5 passed, 0 failed");
    return 0;
}
