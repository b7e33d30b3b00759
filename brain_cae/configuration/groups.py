"""Groups whose options differ in their keys: the option's name decides on the schema."""

from brain_cae.configuration.schema import LeaveProtocolOut, Split

OPTIONS: dict[str, dict[str, type]] = {
    "split": {"stratified": Split, "protocol": Split, "leave_protocol_out": LeaveProtocolOut},
}
