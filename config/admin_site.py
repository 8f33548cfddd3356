from django.contrib.admin import AdminSite


class CountersignAdminSite(AdminSite):
    site_header = "Countersign"
