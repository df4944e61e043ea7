"""CallLogService: its methods (`calls`), the deliveries of providers (`deliveries`) and who sent them (`senders`).
LiveCallService: `live_calls`."""

from services.calllog.servicer.calls import CallLogServicer
from services.calllog.servicer.deliveries import Deliveries
from services.calllog.servicer.live_calls import LiveCallServicer
from services.calllog.servicer.senders import Senders

__all__ = ["CallLogServicer", "Deliveries", "LiveCallServicer", "Senders"]
