"""The session by the AWS CLI, a command for each call, against the endpoint given as argument.

AWS_DISABLE_HOST_PREFIX_INJECTION keeps it from asking for `sync-localhost`, which leads nowhere.
"""

import contextlib
import io
import json
import os
import re
import sys

import awscli.clidriver

import session

SUBCOMMAND = re.compile(r"(?<!^)(?<![A-Z])([A-Z])")


def aws(*arguments):
    """What `aws stepfunctions` does with these arguments, without the second each process takes to begin."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            status = awscli.clidriver.create_clidriver().main(["stepfunctions", *arguments])
        except SystemExit as exit:
            status = exit.code
    return status, stdout.getvalue(), stderr.getvalue()


def subcommand(operation):
    return SUBCOMMAND.sub(r"-\1", operation).lower()


def is_time(value):
    return isinstance(value, (int, float)) or re.match(r"\d{4}-\d\d-\d\dT", str(value)) is not None


def main():
    endpoint = sys.argv[1]
    os.environ["AWS_DISABLE_HOST_PREFIX_INJECTION"] = "true"

    def call(operation, parameters):
        status, said, problem = aws(
            "--endpoint-url", endpoint, "--output", "json", "--no-paginate",
            subcommand(operation), "--cli-input-json", json.dumps(parameters),
        )  # fmt: skip
        if status != 0:
            error = re.search(r"An error occurred \((\w+)\) when calling the (\w+) operation", problem)
            if not error or error[2] != operation:
                raise SystemExit(f"aws stepfunctions {subcommand(operation)}: {problem}")
            raise session.Refused(error[1])
        return json.loads(said or "{}")

    # What it says about a command it doesn't have names all that it has.
    known = set(re.findall(r"[a-z]+(?:-[a-z]+)+", aws("no-such-command")[2].split("valid choices are")[1]))
    operations = {step["call"] for step in session.STEPS}
    missing = known - {subcommand(operation) for operation in operations}
    if missing:
        raise SystemExit(f"awscli knows commands that no step calls: {sorted(missing)}")
    session.play("awscli", call, operations, is_time)


if __name__ == "__main__":
    main()
