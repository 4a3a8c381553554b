#include "protocol/messages.h"

#include "protocol/message_fields.h"

namespace varve::protocol {

template <typename Message>
void Encode(const Message& message, std::string& to) {
  EncodeFields(message, to);
}

template <typename Request>
void EncodeRequest(const Request& request, const RequestExtras& extras, std::string& to) {
  FieldWriter writer(&to);
  Fields(writer, request);
  Fields(writer, extras);
}

template <typename Response>
void EncodeAnswer(const Response& response, const AnswerExtras& extras, std::string& to) {
  FieldWriter writer(&to);
  Fields(writer, response);
  Fields(writer, extras);
}

template <typename Message>
Status Decode(std::string_view payload, Message* message) {
  return DecodeFields(payload, Trust::kUntrusted, message);
}

template <typename Request>
Status DecodeRequest(std::string_view payload, Request* request, RequestExtras* extras) {
  FieldReader reader(payload, Trust::kUntrusted);
  Fields(reader, *request);
  Fields(reader, *extras);
  return reader.Finish();
}

template <typename Response>
Status DecodeAnswer(std::string_view payload, Response* response, AnswerExtras* extras) {
  FieldReader reader(payload, Trust::kTrusted);
  Fields(reader, *response);
  Fields(reader, *extras);
  return reader.Finish();
}

#define VARVE_MESSAGE(Message)                                   \
  template void Encode(const Message& message, std::string& to); \
  template Status Decode(std::string_view payload, Message* message);
VARVE_MESSAGE(Hello)
VARVE_MESSAGE(Welcome)
VARVE_MESSAGE(Authenticate)
VARVE_MESSAGE(Credit)
VARVE_MESSAGE(Goodbye)
#undef VARVE_MESSAGE

#define VARVE_OPERATION(Request, Response)                                         \
  template void EncodeRequest(const Request& request, const RequestExtras& extras, \
                              std::string& to);                                    \
  template void EncodeAnswer(const Response& response, const AnswerExtras& extras, \
                             std::string& to);                                     \
  template Status DecodeRequest(std::string_view payload, Request* request,        \
                                RequestExtras* extras);                            \
  template Status DecodeAnswer(std::string_view payload, Response* response, AnswerExtras* extras);
VARVE_OPERATION(PrepareRequest, PrepareResponse)
VARVE_OPERATION(JsonRequest, JsonResponse)
template void EncodeRequest(const ForgetRequest&, const RequestExtras&, std::string&);
template Status DecodeRequest(std::string_view, ForgetRequest*, RequestExtras*);

#define VARVE_ITEM_OPERATION(Name) VARVE_OPERATION(item::Name##Request, item::Name##Response)
VARVE_ITEM_OPERATION(GetItem)
VARVE_ITEM_OPERATION(PutItem)
VARVE_ITEM_OPERATION(UpdateItem)
VARVE_ITEM_OPERATION(DeleteItem)
VARVE_ITEM_OPERATION(Query)  // and of Scan the answer
template void EncodeRequest(const item::ScanRequest&, const RequestExtras&, std::string&);
template Status DecodeRequest(std::string_view, item::ScanRequest*, RequestExtras*);
VARVE_ITEM_OPERATION(BatchGetItem)
VARVE_ITEM_OPERATION(BatchWriteItem)
VARVE_ITEM_OPERATION(TransactGetItems)
VARVE_ITEM_OPERATION(TransactWriteItems)
VARVE_ITEM_OPERATION(ExecuteStatement)
VARVE_ITEM_OPERATION(BatchExecuteStatement)
VARVE_ITEM_OPERATION(ExecuteTransaction)
VARVE_ITEM_OPERATION(CreateTable)
VARVE_ITEM_OPERATION(DescribeTable)
VARVE_ITEM_OPERATION(ListTables)
VARVE_ITEM_OPERATION(UpdateTable)
VARVE_ITEM_OPERATION(DeleteTable)
VARVE_ITEM_OPERATION(UpdateTimeToLive)
VARVE_ITEM_OPERATION(DescribeTimeToLive)
VARVE_ITEM_OPERATION(TagResource)
VARVE_ITEM_OPERATION(UntagResource)
VARVE_ITEM_OPERATION(ListTagsOfResource)
VARVE_ITEM_OPERATION(ListStreams)
VARVE_ITEM_OPERATION(DescribeStream)
VARVE_ITEM_OPERATION(GetShardIterator)
VARVE_ITEM_OPERATION(GetRecords)
#undef VARVE_ITEM_OPERATION
#undef VARVE_OPERATION

}  // namespace varve::protocol
