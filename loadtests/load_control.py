"""How a load test lives inside Locust: options, starts and stops from wherever they come, and the exit code."""

import argparse
import gc
import logging
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import gevent
import locust
from flask import Response, jsonify, request
from load_options import add_arguments
from load_session import LoadSession, choose_folder, require_stream
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopTest
from locust.web import WebUI

from floodmark.errors import ConfigurationError, FloodmarkError
from floodmark.load_options import check_ledger, read_options
from floodmark.systems.ports import require_free_port

STOP_GRACE_S = 5.0
"""How long users may take to end; they have nothing left to do when Locust stops them."""

logger = logging.getLogger("floodmark")


class LoadControl:
    """Listens to Locust's events. `session` is the load that runs now, or None."""

    def __init__(self, kind: str) -> None:
        self.session: LoadSession | None = None
        self._kind = kind
        self._exit_code = 0
        self._is_reported = True
        self._is_interrupted = False

    def attach(self) -> None:
        """Listen from now on."""
        events: Any = locust.events
        events.init_command_line_parser.add_listener(self._on_parser)
        events.init.add_listener(self._on_init)
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)

    def _on_parser(self, parser: LocustArgumentParser, **_: object) -> None:
        _refuse_several_processes()
        add_arguments(parser, self._kind)

    def _on_init(self, environment: Environment, web_ui: WebUI | None, **_: object) -> None:
        """Everything that can be known to be wrong is said before anything starts."""
        texts: dict[str, Any] = vars(environment.parsed_options)
        try:
            if texts["master"] or texts["worker"] or texts["processes"]:
                raise _several_processes()
            options = read_options(self._kind, texts)
            check_ledger(options)
            require_stream(options)
            if web_ui:
                require_free_port(texts["web_port"], "Locust's web page (--web-port)")
        except FloodmarkError as error:
            _exit(error)
        environment.host = options.endpoint
        environment.stop_timeout = STOP_GRACE_S
        if web_ui and web_ui.app:
            web_ui.app.before_request(lambda: self._check_form(environment))
        gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        if texts["headless"]:  # without its web page, Locust looks for this one only when the load is over
            gevent.signal_handler(signal.SIGTERM, self._on_interrupt)

    def _check_form(self, environment: Environment) -> Response | None:
        """Answer a start from the web page with what is wrong with it, if something is."""
        if request.method != "POST" or not request.path.endswith("/swarm") or self.session:
            return None
        host = request.form.get("host") or environment.host
        try:
            require_stream(
                read_options(self._kind, {**vars(environment.parsed_options), **request.form, "endpoint": host})
            )
        except FloodmarkError as error:
            return jsonify({"success": False, "message": str(error), "host": environment.host})
        return None

    def _on_test_start(self, environment: Environment, **_: object) -> None:
        gc.collect()
        gc.freeze()  # what is loaded by now stays; looking through it again and again holds calls up by tens of ms
        try:
            options = read_options(self._kind, {**vars(environment.parsed_options), "endpoint": environment.host})
            self.session = LoadSession(options, choose_folder(options))
        except FloodmarkError as error:
            self._exit_code = error.exit_code
            raise StopTest(str(error)) from error
        self._is_reported = False

    def _on_test_stopping(self, **_: object) -> None:
        self._finish()

    def _on_test_stop(self, **_: object) -> None:
        self.session = None

    def _on_quitting(self, environment: Environment, **_: object) -> None:
        self._finish()
        environment.process_exit_code = self._exit_code

    def _on_interrupt(self) -> None:
        """Interrupt Locust where it waits, never a call in flight. The second time, stop waiting for calls at all."""
        if not self._is_interrupted:
            self._is_interrupted = True
            hub = gevent.get_hub()
            hub.loop.run_callback(hub.parent.throw, KeyboardInterrupt)
        elif self.session:
            self.session.producer.give_up()

    def _finish(self) -> None:
        """Drain and close the session; its users go on sending meanwhile."""
        session = self.session
        if session is None:
            return
        session.finish()
        if self._is_reported:
            return
        self._is_reported = True
        self._exit_code = session.exit_code
        logger.info(session.summary())
        if session.producer.failure:
            logger.error(str(session.producer.failure))
        elif session.producer.void_reason:
            logger.error("the load is void: %s", session.producer.void_reason)


def _several_processes() -> ConfigurationError:
    return ConfigurationError(
        "a load test runs in one process: --processes, --master and --worker would each send the whole load",
        "leave them out",
    )


def _refuse_several_processes() -> None:
    """Before Locust starts the others."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--processes")
    for flag in ("--master", "--worker"):
        parser.add_argument(flag, action="store_true")
    found: Mapping[str, Any] = vars(parser.parse_known_args(sys.argv[1:])[0])
    if any(found.values()):
        _exit(_several_processes())


def _exit(error: FloodmarkError) -> NoReturn:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(error.exit_code)
