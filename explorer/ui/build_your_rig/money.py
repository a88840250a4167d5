"""Time and money: images an hour, a training run, and buying against renting."""

import streamlit as st

from explorer.charts.build_your_rig import cost_chart
from explorer.hardware.catalogue import Rent, rents
from explorer.hardware.speed import Band
from explorer.lessons.build_your_rig.fits import Owning, fit, months_to_buy, time_on, training_time_on
from explorer.ui.build_your_rig.asking import Wish
from explorer.ui.build_your_rig.origins import origins
from explorer.ui.chart import chart


def span(band: Band) -> str:
    """Seconds in words: "2.1 to 5.6 s"."""
    unit, size = next(
        (unit, size) for unit, size in (("h", 3600), ("min", 60), ("s", 1)) if band.fast >= 1.5 * size or unit == "s"
    )
    return f"{band.fast / size:,.1f} to {band.slow / size:,.1f} {unit}"


def show(wish: Wish) -> None:
    """The time of the task on the chosen card, then what owning it costs."""
    left, right = st.columns(2, gap="large")
    with left:
        worked = making(wish) if wish.task == "make" else training(wish)
        if worked is None:
            st.info(
                f"The catalogue has no dense rate of the {wish.card.name} in this precision, so it says no time.",
                icon=":material/timer_off:",
            )
    with right:
        owning(wish)


def making(wish: Wish) -> Band | None:
    """Seconds for the batch, and how many an hour."""
    steps = st.select_slider(
        "Steps",
        sorted({1, 2, 4, 8, 12, 20, 28, 40, 50, 64, 100, wish.system.steps}),
        wish.system.steps,
        key=f"rig_{wish.system.key}_steps",
        bind="query-params",
        width=260,
    )
    band = time_on(wish.system, wish.asked, wish.card, steps)
    if band is None:
        return None
    per_hour = [3600 * wish.asked.batch / seconds for seconds in (band.slow, band.fast)]
    st.markdown(f"**{span(band)}** for {steps} steps: {per_hour[0]:,.3g} to {per_hour[1]:,.3g} an hour")
    if not fit(wish.system, wish.asked, wish.card).fits:
        st.caption("It does not fit this card as it is asked for: so long would its arithmetic alone take.")
    if wish.card.power:
        energy = [wish.card.power * seconds / 3600 for seconds in (band.fast, band.slow)]
        st.markdown(f"At {wish.card.power:,.0f} W, its full power, that is {energy[0]:,.2f} to {energy[1]:,.2f} Wh.")
    reasons(band)
    return band


def training(wish: Wish) -> Band | None:
    """Hours of a run."""
    with st.container(horizontal=True):
        samples = st.select_slider(
            "Samples",
            [10, 20, 50, 100, 1000, 10_000, 100_000, 10**6, 10**7, 10**8],
            100,
            key="rig_samples",
            bind="query-params",
            width=200,
        )
        epochs = st.select_slider(
            "Epochs", [1, 2, 5, 10, 20, 50, 100], 20, key="rig_epochs", bind="query-params", width=200
        )
    band = training_time_on(wish.system, wish.asked, wish.card)
    if band is None:
        return None
    run = band.times(samples * epochs / wish.asked.batch)
    st.markdown(f"**{span(run)}** on one card: {samples * epochs:,} samples, {span(band)} a step of {wish.asked.batch}")
    hours = [seconds / 3600 for seconds in (run.fast, run.slow)]
    if wish.card.power:
        energy = [wish.card.power * hour / 1000 for hour in hours]
        st.markdown(f"At {wish.card.power:,.0f} W, its full power, that is {energy[0]:,.1f} to {energy[1]:,.1f} kWh.")
    if rent := rented(wish):
        cost = [rent.hourly * hour for hour in hours]
        st.markdown(
            f"Rented at {rent.hourly:g} USD an hour (assumed, {rent.date}): {cost[0]:,.2f} to {cost[1]:,.2f} USD."
        )
    reasons(band)
    return band


def reasons(band: Band) -> None:
    origins(
        computed="operations, counted on shapes, over the card's dense peak; text encoding and decoding are not in it",
        quoted=f"that peak, and the share of it that published speeds of steps as short or as long reach, "
        f"{band.shares[0]:.0%} to {band.shares[1]:.0%} (see **Accuracy**)",
    )


def rented(wish: Wish) -> Rent | None:
    """What the card costs by the hour, where it is among those that are rented."""
    return next((one for one in rents() if one.card.name == wish.card.name), None)


def owning(wish: Wish) -> None:
    """What the card costs over the months, beside renting one."""
    rent = rented(wish)
    with st.container(horizontal=True):
        currency = st.text_input("Currency", "USD", key="rig_currency", bind="query-params", max_chars=6, width=100)
        price = st.slider(
            "Price of the machine",
            300,
            40_000,
            min(40_000, 100 * round(((wish.card.launch_price or 2000) + 1000) / 100)),
            100,
            key="rig_price",
            bind="query-params",
            width=230,
        )
        hourly = st.slider(
            "Rent an hour",
            0.1,
            12.0,
            rent.hourly if rent else 0.5,
            0.05,
            key="rig_rent",
            bind="query-params",
            width=180,
        )
        hours = st.slider("Hours of work a month", 5, 730, 60, 5, key="rig_hours", bind="query-params", width=200)
        kwh = st.slider("Price of a kWh", 0.05, 0.8, 0.3, 0.01, key="rig_kwh", bind="query-params", width=180)
    machine = Owning(price, (wish.card.power or 300) + 150)
    rows = [
        row
        for month in range(0, 37, 3)
        for row in (
            (month, "buy", machine.after(month, hours, kwh)),
            (month, "rent", month * hours * hourly),
        )
    ]
    chart(cost_chart(rows, currency or "money", st.context.theme.type == "dark"), alt="Money spent over 36 months.")
    months = months_to_buy(machine, hourly, hours, kwh)
    said = (
        "renting stays cheaper: the electricity alone costs more"
        if months is None
        else f"buying is cheaper after {months:,.0f} months"
    )
    st.markdown(f"At these prices {said}.")
    origins(
        computed="the lines",
        quoted="the card's launch price and power",
        assumed=f"all other prices, which are yours to set, and 150 W of {machine.power:,.0f} for the rest of the "
        "machine",
    )
