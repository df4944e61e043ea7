"""Figures of the organization from roll-ups. Unknown figures are null."""

from datetime import timedelta

from starlette.responses import Response

from echosenseix.calllog.v1 import calllog_pb2 as pb
from gateway.http import responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody
from gateway.http.wire import set_time
from gateway.schemas.calls import (
    OrganizationAnalytics,
    Timeseries,
    TimeseriesQuery,
    WindowQuery,
    bucket_from_proto,
    organization_analytics_from_proto,
)
from gateway.state import ApiRequest
from libs.cache.classes import ANALYTICS
from libs.clock import utcnow

# Without a window: as far back as one looks at a chart.
_SHOWN = {"hour": timedelta(days=2), "day": timedelta(days=30)}


async def get_organization_analytics(request: ApiRequest[WindowQuery, NoBody]) -> Response:
    message = pb.GetOrganizationAnalyticsRequest()
    set_time(message.from_time, request.query.from_)
    set_time(message.to_time, request.query.to)
    return responses.ok(
        organization_analytics_from_proto(await request.app.clients.calls.GetOrganizationAnalytics(message))
    )


async def get_timeseries(request: ApiRequest[TimeseriesQuery, NoBody]) -> Response:
    query = request.query
    message = pb.GetAnalyticsTimeseriesRequest(interval=query.interval or "day", agent_id=query.agent_id or "")
    # Chosen here, so that both ends of an open window come from one clock.
    until = query.to or utcnow()
    set_time(message.to_time, until)
    set_time(message.from_time, query.from_ or until - _SHOWN[message.interval])
    answer = await request.app.clients.calls.GetAnalyticsTimeseries(message)
    buckets = [bucket_from_proto(bucket) for bucket in answer.buckets]
    return responses.ok(Timeseries(interval=message.interval, data=buckets))


ROUTES = tagged(
    "Analytics",
    Route(
        "GET",
        "/api/analytics/organization",
        get_organization_analytics,
        "Totals",
        scope="calls:read",
        cached=ANALYTICS,
        query=WindowQuery,
        answer=OrganizationAnalytics,
    ),
    Route(
        "GET",
        "/api/analytics/timeseries",
        get_timeseries,
        "Totals by hour or day",
        scope="calls:read",
        cached=ANALYTICS,
        query=TimeseriesQuery,
        answer=Timeseries,
    ),
)
