"""How a load test lives inside Locust: options, starts and stops from wherever they come, and the exit code."""

import gc
import logging
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import gevent
import locust
from flask import Response, jsonify, request
from load_alone import LoadAlone
from load_leader import LoadLeader
from load_options import add_arguments
from load_page import add_page
from load_session import LoadSession
from load_worker import LoadWorker
from locust.argument_parser import LocustArgumentParser
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import MasterRunner, Runner, WorkerNode, WorkerRunner
from locust.web import WebUI
from orphans import end_with_parent

from floodmark.errors import ConfigurationError, FloodmarkError
from floodmark.load_options import LoadOptions, check_ledger, read_options
from floodmark.producer import keep_heap
from floodmark.systems.kinesis import open_shards
from floodmark.systems.ports import require_free_port

STOP_GRACE_S = 2.0
"""How long users may take to end; they have nothing left to do when Locust stops them. Workers sit it out each time."""

INTERRUPTED_EXIT_CODE = 130

logger = logging.getLogger("floodmark")

Role = LoadAlone | LoadLeader | LoadWorker


class LoadControl:
    """Listens to Locust's events, and hands them to what this process is in the load: all of it, master or worker."""

    def __init__(self, kind: str) -> None:
        self.role: Role = LoadAlone()
        self._kind = kind
        self._exit_code = 0
        self._is_interrupted = False
        self._is_waiting: Callable[[], bool] = lambda: False

    @property
    def session(self) -> LoadSession | None:
        """What this process sends now."""
        return self.role.session

    def attach(self) -> None:
        """Listen from now on."""
        end_with_parent()
        events: Any = locust.events
        events.init_command_line_parser.add_listener(self._on_parser)
        events.init.add_listener(self._on_init)
        events.test_start.add_listener(self._on_test_start)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)

    def _on_parser(self, parser: LocustArgumentParser, **_: object) -> None:
        add_arguments(parser, self._kind)

    def _on_init(self, environment: Environment, runner: Runner, web_ui: WebUI | None, **_: object) -> None:
        """Everything that can be known to be wrong is said before anything starts, by whoever plans the load."""
        texts: dict[str, Any] = vars(environment.parsed_options)
        if isinstance(runner, WorkerRunner):
            self.role = LoadWorker(environment, runner)
        else:
            if isinstance(runner, MasterRunner):
                self.role = LoadLeader(environment, runner)
                environment.dispatcher_class = SendersDispatcher
            environment.host = self._check(texts, web_ui)
        environment.stop_timeout = STOP_GRACE_S
        if web_ui and web_ui.app:
            web_ui.app.before_request(lambda: self._check_form(environment))
            add_page(web_ui, self.role.reports)
        # Locust tells the last listener first: before a worker says good-bye, and while a master still listens.
        events: Any = environment.events
        events.quitting.add_listener(self._on_quitting)
        gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        if texts["headless"]:  # without its web page, Locust looks for this one only when the load is over
            gevent.signal_handler(signal.SIGTERM, self._on_interrupt)
            self._is_waiting = lambda: isinstance(self.role, LoadLeader) and runner.shape_greenlet is None

    def _check(self, texts: dict[str, Any], web_ui: WebUI | None) -> str:
        """The endpoint, when nothing is wrong."""
        try:
            options = self._read(texts)
            check_ledger(options)
            _require_stream(options)
            if web_ui:
                require_free_port(texts["web_port"], "Locust's web page (--web-port)")
        except FloodmarkError as error:
            _exit(error)
        return options.endpoint

    def _read(self, texts: dict[str, Any]) -> LoadOptions:
        options = read_options(self._kind, texts)
        if options.settings.ordered and isinstance(self.role, LoadLeader):
            raise ConfigurationError(
                "--ordered means nothing where several processes send: the records of a key are shared among them",
                "leave out --ordered, or --master and --processes",
            )
        return options

    def _check_form(self, environment: Environment) -> Response | None:
        """Answer a start from the web page with what is wrong with it, if something is."""
        if request.method != "POST" or not request.path.endswith("/swarm") or self.role.is_running:
            return None
        host = request.form.get("host") or environment.host
        try:
            _require_stream(self._read({**vars(environment.parsed_options), **request.form, "endpoint": host}))
            if not self.role.processes:
                raise ConfigurationError("no worker is connected yet", "start some with --worker, then try again")
        except FloodmarkError as error:
            return jsonify({"success": False, "message": str(error), "host": environment.host})
        return None

    def _on_test_start(self, environment: Environment, **_: object) -> None:
        keep_heap()
        gc.collect()
        gc.freeze()  # what is loaded by now stays; looking through it again and again holds calls up by tens of ms
        try:
            self.role.start(lambda: self._read({**vars(environment.parsed_options), "endpoint": environment.host}))
        except FloodmarkError as error:
            self._exit_code = error.exit_code
            raise StopTest(str(error)) from error

    def _on_test_stopping(self, **_: object) -> None:
        """Come to the end of the load; users go on sending meanwhile."""
        if self.role.is_running:
            self.role.finish()
            self._exit_code = self.role.exit_code

    def _on_test_stop(self, **_: object) -> None:
        self.role.clear()

    def _on_quitting(self, environment: Environment, **_: object) -> None:
        if self.role.is_running:
            self.role.leave()
            self._exit_code = self.role.exit_code
        # A worker that the master's process has forked is no command of its own: the master's exit code tells of it.
        is_forked = isinstance(self.role, LoadWorker) and vars(environment.parsed_options)["processes"]
        environment.process_exit_code = 0 if is_forked else self._exit_code

    def _on_interrupt(self) -> None:
        """Interrupt Locust where it waits, never a call in flight. The second time, stop waiting for calls at all."""
        if not self._is_interrupted:
            self._is_interrupted = True
            hub = gevent.get_hub()
            # Locust has no ear for it while it waits for workers; those that are there end with this process.
            error = SystemExit(INTERRUPTED_EXIT_CODE) if self._is_waiting() else KeyboardInterrupt
            hub.loop.run_callback(hub.parent.throw, error)
        else:
            self.role.give_up()


class SendersDispatcher(UsersDispatcher):
    """Leaves senders where they are when a worker joins, which has no part in the load that runs."""

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Nothing is to be done."""


def _require_stream(options: LoadOptions) -> None:
    open_shards(endpoint=options.endpoint, region=options.region, stream=options.stream)


def _exit(error: FloodmarkError) -> NoReturn:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(error.exit_code)
