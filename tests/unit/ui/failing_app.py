import streamlit as st

from explorer.ui.server import loading, say

if __name__ == "__main__":
    raise ValueError("Ada typed this")
app = st.App(__file__, lifespan=loading(), on_script_error=say)
