"""The options of a load, on Locust's command line and web page."""

from locust.argument_parser import LocustArgumentParser

from floodmark.load_options import SWITCHES, Option, options_of
from floodmark.schedule import PROFILE_NAMES


def add_arguments(parser: LocustArgumentParser, kind: str) -> None:
    """Add the options to Locust's parser. Locust keeps `--profile` for naming runs; here it names the arrivals."""
    for option in options_of(kind):
        on_page = option.on_web_page if isinstance(option, Option) else True
        parser.add_argument(option.flag, default=option.default, help=option.help, include_in_web_ui=on_page)
    for flag, text in SWITCHES.items():
        parser.add_argument(flag, action="store_true", help=text, include_in_web_ui=False)
    parser.set_defaults(web_host="127.0.0.1", master_bind_host="127.0.0.1")
    for action in parser._actions:
        if "--profile" in action.option_strings:
            action.help = f"How the rate moves: {', '.join(PROFILE_NAMES)}; docs/reference/profiles.md"
