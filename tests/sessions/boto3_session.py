"""The session by boto3, against the endpoint given as argument.

Its host prefix stays on: the name it asks for, `sync-localhost`, is made to lead here.
"""

import datetime
import socket
import sys

import boto3
import botocore.config
import botocore.exceptions

import session

look_up = socket.getaddrinfo


def without_prefix(host, *arguments, **more):
    return look_up(host.removeprefix("sync-"), *arguments, **more)


def main():
    endpoint = sys.argv[1]
    hosts = set()
    client = boto3.client("stepfunctions", endpoint_url=endpoint)
    client.meta.events.register("before-send", lambda request, **_: hosts.add(request.url.split("/")[2]))
    socket.getaddrinfo = without_prefix

    def call(operation, parameters):
        method = getattr(client, boto3.session.botocore.xform_name(operation))
        try:
            answer = method(**parameters)
        except botocore.exceptions.ClientError as error:
            name = error.response["Error"]["Code"]
            assert error.response["Error"]["Message"], error.response
            # The errors an operation may have are classes of the client's.
            assert type(error) is getattr(client.exceptions, name, type(error)), error
            raise session.Refused(name) from error
        assert answer.pop("ResponseMetadata")["RequestId"]
        return answer

    operations = client.meta.service_model.operation_names
    session.play("boto3", call, operations, lambda value: isinstance(value, datetime.datetime))

    host = endpoint.removeprefix("https://")
    assert hosts == {host, "sync-" + host}, hosts
    plain = boto3.client(
        "stepfunctions", endpoint_url=endpoint, config=botocore.config.Config(inject_host_prefix=False)
    )
    hosts.clear()
    plain.meta.events.register("before-send", lambda request, **_: hosts.add(request.url.split("/")[2]))
    plain.test_state(definition='{"Type": "Succeed"}')
    assert hosts == {host}, hosts


if __name__ == "__main__":
    main()
