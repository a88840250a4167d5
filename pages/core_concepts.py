from explorer.ui.layout import begin_page, end_page

begin_page("Core concepts", "")
end_page()
