"""Lines of `tpsgd-edge link` for the terminal."""

from tpsgd_edge.link import Hello, Statistics
from tpsgd_edge.link.feeding import Fed
from tpsgd_edge.reports.text import bytes_text, count_text, percent_text


def show_info(hello: Hello, counts: Statistics) -> str:
    """The device in lines of a name and what there is to say."""
    kinds = ", ".join(str(kind.name).lower() for kind in hello.kind)
    rows = (
        ("Model", f"{hello.name}, id 0x{hello.model_id:08X}"),
        ("Training", f"{count_text(hello.step)} steps, digest 0x{hello.digest:08x}"),
        ("Sample", f"{count_text(hello.x_count)} values, {count_text(hello.output_count)} outputs"),
        (
            "RAM",
            f"{bytes_text(hello.model_bytes)} model, {bytes_text(hello.work_bytes)} work, "
            f"{bytes_text(hello.wire_bytes)} wire",
        ),
        ("Can", kinds),
        (
            "Requests",
            f"{count_text(counts.carried_out)}, {count_text(counts.trained)} of them training "
            f"steps; {count_text(counts.repeated)} repeated",
        ),
        (
            "Line",
            f"{count_text(counts.dropped)} frames dropped, {count_text(counts.lost)} bytes lost",
        ),
    )
    return "".join(f"{name + ':':<10} {text}\n" for name, text in rows)


def show_fed(fed: Fed, *, is_classifier: bool) -> str:
    """The outcome of a feed, in two or three lines."""
    pace = f", {fed.count / fed.seconds:,.0f} a second" if fed.seconds > 0 else ""
    right = f", {percent_text(fed.right, fed.count)} right" if is_classifier and fed.count else ""
    lost = (
        f"{count_text(fed.unanswered)} answers got lost; these samples were learned\n"
        if fed.unanswered
        else ""
    )
    step = f"the device is at step {count_text(fed.step)}\n"
    return f"{count_text(fed.count)} samples{right}{pace}\n{lost}{step}"
