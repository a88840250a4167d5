"""Data in, chart out, as Vega-Lite specifications: importing Altair and pandas would cost 100 MB.

The data lie in the layers and not at the top of a chart, where Streamlit would make a data frame of them.
In the app's theme the categories have the colours of data, model, exact and noise, in this order.
"""
