"""`floodmark kinesis`: the Kinesis simulator alone."""

from collections.abc import Sequence
from typing import Any

import click

from floodmark.errors import ConfigurationError, EnvironmentFailedError
from simulators.kinesis.command import options, settings
from simulators.kinesis.errors import JournalError, ListenError, SettingsError
from simulators.kinesis.serving.server import Door, leave, serve

_HINT = """\
The Kinesis simulator listens on {url}. Ctrl-C ends it.

  boto3    boto3.client("kinesis", endpoint_url="{url}", region_name="us-east-1",
                        aws_access_key_id="any", aws_secret_access_key="any")
  AWS CLI  aws --endpoint-url {url} kinesis list-streams
  look     {url}/ (for people), {url}/metrics (for Prometheus)
  break    {url}/faults: see docs/how-to/break-kinesis.md"""

_TLS_HINT = """\
  TLS      {url}; clients trust {authority} (boto3, CLI: AWS_CA_BUNDLE; Node: NODE_EXTRA_CA_CERTS),
           Java {truststore}: see docs/how-to/use-kinesis-clients.md"""


def _announce(doors: Sequence[Door]) -> None:
    for door in doors:
        if files := door.certificate:
            click.echo(_TLS_HINT.format(url=door.url, authority=files.authority, truststore=files.truststore))
        else:
            click.echo(_HINT.format(url=door.url))


@click.command("kinesis", short_help="The Kinesis simulator alone.")
@options
def kinesis(**given: Any) -> None:
    """Serve the API of Amazon Kinesis Data Streams on this machine, with the service's quotas."""
    try:
        serve(settings(**given), _announce)
    except SettingsError as error:
        raise ConfigurationError(error.message, error.remedy) from None
    except (ListenError, JournalError) as error:
        raise EnvironmentFailedError(error.message, error.remedy) from None
    leave(0)
