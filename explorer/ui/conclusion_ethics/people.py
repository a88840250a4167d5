"""Deepfakes, misinformation and consent, in plain words, with what safeguards can and cannot do."""

import streamlit as st

from explorer.lessons.conclusion_ethics.figures import figures
from explorer.ui.frame import page_link
from explorer.zoo import model_card

HARMS = """
## What goes wrong
- **Pictures and voices of real people** who did not agree: of 14,678 deepfake videos that were counted
  in 2019, 96 % were pornographic, and those show women
  ([Ajder et al. (2019)](https://regmedia.co.uk/2019/10/08/deepfake_report.pdf)).
- **Calls in a cloned voice** that ask for money or a transfer, which the FBI has warned of
  ([IC3 (2024)](https://www.ic3.gov/PSA/2024/PSA241203)).
- **The liar's dividend**: once anything can be faked, a true recording can be denied
  ([Chesney and Citron (2019)](https://doi.org/10.15779/Z38RV0D15J)).
- **Work taken without asking**: models are trained on pictures of artists who were neither asked nor paid. Whether
  that is lawful is before the courts in several countries; *Learned by heart* shows what can be measured.
"""

SAFEGUARDS = """
## What this course does about it
- The voice page asks **first** whether the voice is yours or its owner agreed; a recording lives in memory, for the
  session, and never on disk. A tick stops nobody who lies. It makes an honest person think, and it is what the law
  asks of those who make a voice speak.
- Every sound that leaves it carries a **mark** and says in its metadata that it is synthetic.
- The models are small on purpose: no face of a real person and no recording of one was used to train what is
  shipped, but handwriting and emoji, under terms that allow it; the voices come from another synthesiser.
"""


def show() -> None:
    """The harms on the left, the safeguards with their figures on the right."""
    left, right = st.columns(2, gap="large")
    left.markdown(HARMS)
    with right:
        st.markdown(SAFEGUARDS)
        of = figures("provenance")["found"]
        speakers = model_card("voice")["metrics"]["six people"]
        st.markdown(
            "## What safeguards can and cannot do\n"
            f"- **Marks** help who wants to be honest: the rings are found in {of['nothing']:.0%} of pictures as they "
            f"were made, and in {of['crop']:.0%} after a crop of two pixels.\n"
            "- **Signed metadata** (C2PA) tell who made a file and what was done to it, until somebody writes it "
            "anew.\n"
            "- **Detectors** of synthetic media guess, and fail on what they have not seen.\n"
            "- **Law**: in the European Union those who offer such models must mark what these make, and those who use "
            "them must disclose deepfakes ([AI Act, article 50](https://eur-lex.europa.eu/eli/reg/2024/1689/oj)).\n"
            f"- **Weakness** is no safeguard: the model here comes nearest to the right one of six real people in "
            f"{speakers['top 1']:g} % of cases, and large ones do so from three seconds of speech."
        )
        page_link("pages/voice_cloning.py", "Voice cloning")
