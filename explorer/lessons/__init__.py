"""What each module computes, without Streamlit: one file or folder a page, named as the page; and what they share."""
